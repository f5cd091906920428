"""src/README.md is the map of src/: each folder stands in its table, and each name there exists."""

import re

MAP = "src/README.md"
NAME = re.compile(r"`([\w./-]+)`")


def check(project):
    if not project.exists(MAP):
        yield MAP, 1, "is not there"
        return
    named = set()
    for number, line in enumerate(project.read(MAP).splitlines(), 1):
        if not line.startswith("|"):
            continue
        for name in NAME.findall(line.split("|")[1]):
            named.add(name)
            if not (project.root / "src" / name).exists():
                yield MAP, number, f"names {name}, which is not there"
    for path in sorted((project.root / "src").iterdir()):
        if path.is_dir() and any(path.iterdir()) and f"{path.name}/" not in named:
            yield MAP, 1, f"the table doesn't name {path.name}/"
