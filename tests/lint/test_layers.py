import pytest


def include(tree, path, *names):
    for name in names:
        target = name.strip('"')
        if name.startswith('"') and not (tree.root / "src" / target).exists():
            tree.write(f"src/{target}")
    tree.write(path, "".join(f"#include {name}\n" for name in names))


@pytest.mark.parametrize("path, names", [
    ("src/net/a.cpp", ['"net/b.h"', '"base/a.h"', "<string>", '"build_info.h"']),
    ("src/session/a.cpp", ['"imap/a.h"', '"pop3/a.h"', '"smtp/a.h"']),
    ("src/net/a_test.cpp", ["<gtest/gtest.h>", '"base/a.h"', '"net/testing.h"']),
    ("src/net/testing.h", ["<gtest/gtest.h>", '"base/testing.h"']),
    ("src/net/deep/a.cpp", ['"net/deep/b.h"', '"base/a.h"']),
    ("src/imap/grammar.cpp", ['"imap/command.h"', '"base/a.h"', '"sasl/a.h"']),
    ("src/imap/dialogue.cpp", ['"net/a.h"']),
    ("src/main.cpp", ['"process/a.h"', '"config/a.h"', '"base/a.h"', '"log/a.h"', '"listen/a.h"',
                      '"auth/passwd_command.h"', '"build_info.h"']),
])
def test_allowed(tree, path, names):
    for folder in ("config", "log", "listen", "auth"):
        with open(tree.root / "src/CMakeLists.txt", "a") as file:
            file.write(f"postern_folder({folder} base)\n")
    include(tree, path, *names)
    tree.none("layers")


@pytest.mark.parametrize("path, name, words", [
    ("src/base/a.cpp", '"net/a.h"', "base may not include net"),
    ("src/base/a_test.cpp", '"net/a.h"', "base may not include net"),
    ("src/base/deep/a.h", '"net/a.h"', "base may not include net"),
    ("src/process/a.cpp", '"imap/a.h"', "process may not include imap"),  # only by way of session
    ("src/net/a.cpp", "<gtest/gtest.h>", "only tests include gtest/gtest.h"),
    ("src/net/a.cpp", '"base/testing.h"', "only tests include base/testing.h"),
    ("src/net/a.cpp", '"b.h"', "without its folder"),
    ("src/imap/grammar.h", '"net/a.h"', "a grammar may not include src/net/a.h"),
    ("src/imap/grammar_test.cpp", '"net/a.h"', "a grammar may not include src/net/a.h"),
    ("src/imap/command_parser.cpp", '"net/a.h"', "a grammar may not include src/net/a.h"),
    ("src/main.cpp", '"session/a.h"', "main.cpp may not include session/a.h"),
    ("src/main.cpp", '"net/a.h"', "main.cpp may not include net/a.h"),
])
def test_forbidden(tree, path, name, words):
    include(tree, path, name)
    tree.one("layers", f"{path}:1", words)


def test_the_line_is_told_and_comments_do_not_count(tree):
    tree.write("src/net/a.h")
    tree.write("src/base/a.cpp", '/*\n#include "net/a.h"\n*/\n// #include "net/a.h"\n'
                                 '  #  include "net/a.h"\n')
    tree.one("layers", "src/base/a.cpp:5")


def test_a_grammar_is_pure_by_way_of_others_too(tree):
    include(tree, "src/imap/command.h", '"net/a.h"')
    include(tree, "src/imap/grammar.cpp", '"imap/command.h"')
    tree.one("layers", "src/imap/grammar.cpp:1", "src/net/a.h by way of src/imap/command.h")


def test_a_folder_without_its_line(tree):
    tree.write("src/stray/a.cpp")
    tree.one("layers", "src/stray/a.cpp:1", "no postern_folder line")


@pytest.mark.parametrize("line, words", [
    ("postern_folder(log nowhere)", "nowhere, which has no postern_folder line"),
    ("postern_folder(log ${mystery})", "can't resolve"),
])
def test_lines_that_make_no_sense(tree, line, words):
    with open(tree.root / "src/CMakeLists.txt", "a") as file:
        file.write(line + "\n")
    findings = tree.lint("layers")
    assert len(findings) == 1 and words in findings[0]


def test_a_cycle_of_folders(tree):
    tree.write("src/CMakeLists.txt", "postern_folder(base net)\npostern_folder(net log)\n"
                                     "postern_folder(log base)\n")
    tree.one("layers", "src/CMakeLists.txt:1", "a cycle of folders: base > net > log > base")


def test_two_ways_to_one_folder_are_no_cycle(tree):
    tree.write("src/CMakeLists.txt", "postern_folder(a b c)\npostern_folder(b d)\n"
                                     "postern_folder(c d b)\npostern_folder(d)\n")
    tree.none("layers")


def test_a_cycle_of_headers(tree):
    include(tree, "src/net/a.h", '"net/b.h"')
    include(tree, "src/net/b.h", '"net/a.h"')
    tree.one("layers", "src/net/a.h:1", "src/net/a.h > src/net/b.h > src/net/a.h")


def test_no_list_of_folders(tree):
    (tree.root / "src/CMakeLists.txt").unlink()
    tree.one("layers", "src/CMakeLists.txt:1", "is not there")
