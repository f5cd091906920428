import subprocess

import pytest


@pytest.mark.parametrize("path, text", [
    ("README.md", "at work/ and /rooted and /works/\n\n    code\n"),
    ("Makefile", "all:\n\techo\n"),
    ("picture.png", "\0 \r\n"),
    ("src/a.cpp", "int x;\n"),
    ("build/a", "trailing \n"),
    ("empty", ""),
])
def test_good(tree, path, text):
    tree.write(path, text)
    tree.none("text")


@pytest.mark.parametrize("path, text, words", [
    ("a.md", "see " "/" "work/main\n", "build machine"),
    ("a.md", "see " "/" "root/main\n", "build machine"),
    ("a.py", "see " "/" "farm/main\n", "build machine"),
    ("a.md", "STOP-" "READ-ME\n", "mark"),
    ("a.sh", "http://deb." "debian.org\n", "registry"),
    ("a.sh", "http://registry." "npmjs.org\n", "registry"),
    ("src/a.cpp", "\tint x;\n", "a tab"),
    ("src/a.h", "int\tx;\n", "a tab"),
    ("a.md", "line \n", "white space"),
    ("a.md", "line\t\n", "white space"),
    ("a.md", "line ", "white space"),
    ("a.md", "line\r\n", "CRLF"),
])
def test_bad(tree, path, text, words):
    tree.write(path, text)
    tree.one("text", f"{path}:1", words)
    tree.write(path, "\n\n" + text)
    tree.one("text", f"{path}:3", words)


def test_only_what_git_knows(tree):
    subprocess.run(["git", "init", "-q"], cwd=tree.root, check=True)
    tree.write("known", "line \n")
    tree.write("unknown", "line \n")
    subprocess.run(["git", "add", "known"], cwd=tree.root, check=True)
    tree.one("text", "known:1")
    (tree.root / "known").unlink()
    tree.none("text")
