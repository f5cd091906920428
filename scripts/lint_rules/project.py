"""The tree that is looked at: its files, and their tokens and includes, read once."""

import functools
import pathlib
import re
import subprocess

from lint_rules import cxx

INCLUDE = re.compile(r'#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
FOLDERS = ("src", "bench")  # where the sources are
NOT_OURS = {".git", "build", "__pycache__", ".pytest_cache", ".postern-run"}


class Project:
    """Paths are strings relative to the root, with "/"."""

    def __init__(self, root: pathlib.Path):
        self.root = root
        self.sources = sorted(
            path.relative_to(root).as_posix()
            for pattern in ("*.h", "*.cpp") for folder in FOLDERS for path in (root / folder).rglob(pattern))
        self.headers = [path for path in self.sources if path.endswith(".h")]

    @functools.cached_property
    def tracked(self) -> list[str]:
        """What git knows; without git (an unpacked archive), all files that no build made."""
        if (self.root / ".git").exists():
            listing = subprocess.run(["git", "ls-files", "-z"], cwd=self.root, capture_output=True)
            if listing.returncode == 0:
                names = listing.stdout.decode().split("\0")
                return [name for name in names if name and (self.root / name).is_file()]
        files = (path.relative_to(self.root) for path in self.root.rglob("*") if path.is_file())
        return sorted(path.as_posix() for path in files if not NOT_OURS & set(path.parts))

    def file_count(self) -> int:
        return len(set(self.tracked) | set(self.sources))

    def exists(self, path: str) -> bool:
        return (self.root / path).is_file()

    @functools.cache
    def read(self, path: str) -> str:
        with open(self.root / path, encoding="utf-8", errors="replace", newline="") as file:
            return file.read()

    @functools.cache
    def tokens(self, path: str) -> list[cxx.Token]:
        return cxx.tokenize(self.read(path))

    @functools.cache
    def includes(self, path: str) -> list[tuple[int, str, bool]]:
        """(line, name, whether in quotes) of each #include; those in comments don't count."""
        found = []
        for token in cxx.directives(self.read(path)):
            if match := INCLUDE.match(token.text):
                found.append((token.line, match[1] or match[2], match[1] is not None))
        return found

    def own_includes(self, path: str) -> list[tuple[int, str]]:
        """(line, path) of the included files that are ours."""
        return [(line, own) for line, name, quoted in self.includes(path)
                for own in (f"src/{name}", name) if quoted and self.exists(own)]

    def closure(self, path: str) -> set[str]:
        """The file and all of ours that it includes, directly or not."""
        seen, waiting = set(), [path]
        while waiting:
            file = waiting.pop()
            if file not in seen:
                seen.add(file)
                waiting.extend(included for _, included in self.own_includes(file))
        return seen


def folder_of(path: str) -> str:
    """The part of src/ that a file belongs to: "config" for src/config/directives/core.cpp; "" for
    a file that is in src/ itself."""
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else ""


def is_test(path: str) -> bool:
    return path.endswith("_test.cpp")
