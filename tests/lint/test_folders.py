MAP = """\
# The map

| folder | what is in it |
|---|---|
| `main.cpp` | the start of `nothing/` |
| `base/` `net/` | both |
"""


def test_map(tree):
    for path in ("main.cpp", "base/a.h", "net/a.h"):
        tree.write(f"src/{path}")
    tree.write("src/README.md", MAP)
    tree.none("folders")
    tree.write("src/log/a.h")
    tree.one("folders", "src/README.md:1", "doesn't name log/")
    tree.write("src/README.md", MAP + "| `log/` | |\n| `http/` | |\n")
    tree.one("folders", "src/README.md:8", "names http/, which is not there")


def test_a_file_that_is_gone(tree):
    tree.write("src/base/a.h")
    tree.write("src/net/a.h")
    tree.write("src/README.md", MAP)
    tree.one("folders", "src/README.md:5", "names main.cpp, which is not there")


def test_no_map(tree):
    tree.one("folders", "src/README.md:1", "is not there")
