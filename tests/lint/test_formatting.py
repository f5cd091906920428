import pathlib
import shutil

import pytest

STYLE = pathlib.Path(__file__).parents[2] / ".clang-format"


@pytest.fixture
def styled(tree):
    shutil.copy(STYLE, tree.root)
    return tree


def test_format(styled):
    styled.write("src/net/a.cpp", "int x = 1;\n")
    styled.none("format")
    styled.write("src/net/a.cpp", "int x = 1;\nint  y = 2;\nint  z = 3;\n")
    styled.write("src/net/b.h", "int *x;\n")
    findings = styled.lint("format")
    assert [line.split(": ")[:2] for line in findings] == [["src/net/a.cpp:2", "format"],
                                                           ["src/net/b.h:1", "format"]]


def test_fix(styled):
    styled.write("src/net/a.cpp", "int  x = 1;\n")
    styled.lint("--fix")
    assert styled.status == 0 and styled.last == "lint: 1 files formatted"
    assert (styled.root / "src/net/a.cpp").read_text() == "int x = 1;\n"
    styled.none("format")


def test_nothing_is_found_where_clang_format_is_not(styled):
    styled.write("src/net/a.cpp", "int x = 1;\n")
    (styled.root / "bin").mkdir()
    (styled.root / "bin/python3").symlink_to("/usr/bin/python3")
    findings = styled.lint("format", environment={"PATH": f"{styled.root}/bin"})
    assert len(findings) == 1 and "clang-format-19 is not installed" in findings[0]
