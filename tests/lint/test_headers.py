import os


def test_a_header_alone(tree):
    tree.write("src/net/a.h", "#pragma once\n#include <string>\ninline std::string f() { return {}; }\n")
    tree.none("headers")
    tree.write("src/net/b.h", "#pragma once\n\ninline std::string g() { return f(); }\n")
    tree.one("headers", "src/net/b.h:3", "doesn't compile alone", "std")
    tree.write("src/net/b.h", '#pragma once\n#include "net/a.h"\ninline auto g() { return f(); }\n')
    tree.none("headers")


def test_a_warning_is_an_error(tree):
    tree.write("src/net/a.h", "#pragma once\ninline int f(int x) { return 1; }\n")
    tree.one("headers", "src/net/a.h:2", "unused parameter")


def test_an_error_in_what_it_includes(tree):
    tree.write("src/net/a.h", '#pragma once\n#include "net/b.inc"\n')
    tree.write("src/net/b.inc", "mistake\n")
    tree.one("headers", "src/net/a.h:1", "src/net/b.inc:1: ")


def test_what_compiled_is_not_compiled_again(tree):
    tree.write("src/net/a.h", "#pragma once\ninline int x = 1;\n")
    tree.write("src/net/b.h", '#pragma once\n#include "net/a.h"\n')
    tree.write("src/net/c.h", "#pragma once\n")
    tree.none("headers")

    tree.write("bin/clang++-19", "#!/bin/sh\necho never >&2\nexit 1\n")
    (tree.root / "bin/clang++-19").chmod(0o755)
    broken = {**os.environ, "PATH": f"{tree.root}/bin:{os.environ['PATH']}"}
    assert tree.lint("headers", environment=broken) == []
    tree.write("src/net/a.h", "#pragma once\ninline int x = 2;\n")
    findings = tree.lint("headers", environment=broken)
    assert [line.split(":")[0] for line in findings] == ["src/net/a.h", "src/net/b.h"]
    assert "never" in findings[0]
    tree.none("headers")  # a failure isn't remembered


def test_what_cmake_makes(tree):
    tree.write("src/net/a.h", '#pragma once\n#include "build_info.h"\ninline int x = kInfo;\n')
    tree.write("build/some/generated/build_info.h", "#pragma once\ninline int kInfo = 1;\n")
    tree.none("headers")
    tree.write("build/release/generated/build_info.h", "#pragma once\n")
    tree.one("headers", "src/net/a.h:3", "kInfo")


def test_cmake_is_asked_where_nothing_is_built(tree):
    tree.write("CMakeLists.txt", "cmake_minimum_required(VERSION 3.25)\nproject(x LANGUAGES NONE)\n"
               "configure_file(info.in ${CMAKE_BINARY_DIR}/generated/build_info.h)\n")
    tree.write("info.in", "#pragma once\ninline int kInfo = 1;\n")
    tree.write("src/net/a.h", '#pragma once\n#include "build_info.h"\ninline int x = kInfo;\n')
    tree.none("headers")


def test_no_compiler(tree):
    tree.write("src/net/a.h", "#pragma once\n")
    (tree.root / "bin").mkdir()
    (tree.root / "bin/python3").symlink_to("/usr/bin/python3")
    findings = tree.lint("headers", environment={"PATH": f"{tree.root}/bin"})
    assert len(findings) == 1 and "clang++-19 is not installed" in findings[0]
