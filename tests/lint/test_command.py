import subprocess

from conftest import LINT


def test_all_rules_by_default(tree):
    tree.write("src/README.md", "| `base/` |\n")
    tree.write("src/base/a.cpp", "int x;\n")
    assert tree.lint() == []
    assert tree.last == "lint: 3 files, 0 findings"
    tree.write(".clang-format", "BasedOnStyle: Google\n")
    tree.write("src/README.md", "| nothing | \n")
    tree.write("src/base/a.h", "mistake\n")
    tree.write("src/base/b_test.cpp",
               '#include "net/a.h"\nint  f() { co_await X{}; }\n' + "\n" * 600)
    rules = {line.split(": ")[1] for line in tree.lint()}
    assert rules == {"layers", "folders", "coroutines", "unit-tests", "sizes", "text", "format",
                     "headers"}


def test_a_rule_that_is_none(tree):
    result = subprocess.run([LINT, "--root", tree.root, "layer"], capture_output=True, text=True)
    assert result.returncode == 2
    assert "no such rule: layer" in result.stderr
