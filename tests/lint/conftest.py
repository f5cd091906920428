"""A small tree for scripts/lint to look at, with what a test adds to it."""

import pathlib
import subprocess

import pytest

LINT = pathlib.Path(__file__).parents[2] / "scripts/lint"

LISTS = """\
function(postern_folder name)
endfunction()
postern_folder(base)
postern_folder(net base)
postern_folder(sasl base)
postern_folder(imap sasl net base)
postern_folder(pop3 sasl net base)
postern_folder(smtp sasl net base)
postern_folder(session ${session_protocols} net base)
postern_folder(process session net base)
"""


class Tree:
    def __init__(self, root: pathlib.Path):
        self.root = root
        self.status = None

    def write(self, path: str, text: str = "") -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())

    def lint(self, *arguments: str, environment=None) -> list[str]:
        """The findings; the last line is checked here."""
        result = subprocess.run([LINT, "--root", self.root, *arguments], capture_output=True,
                                text=True, env=environment)
        assert result.stderr == ""
        *findings, last = result.stdout.splitlines()
        self.status, self.last = result.returncode, last
        if "--fix" not in arguments:
            assert last.startswith("lint: ") and last.endswith(f" files, {len(findings)} findings")
            assert self.status == (1 if findings else 0)
        return findings

    def one(self, rule: str, place: str, *words: str) -> None:
        """There is one finding; it names the place and says these words."""
        findings = self.lint(rule)
        assert len(findings) == 1, findings
        assert findings[0].startswith(f"{place}: {rule}: "), findings
        for word in words:
            assert word in findings[0]

    def none(self, rule: str) -> None:
        assert self.lint(rule) == []


@pytest.fixture
def tree(tmp_path):
    made = Tree(tmp_path)
    made.write("src/CMakeLists.txt", LISTS)
    return made
