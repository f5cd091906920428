"""What no file may contain."""

import re

# Written in two parts, so that this file isn't a finding.
FORBIDDEN = {
    "/" "work/": "a path of a build machine",
    "/" "root/": "a path of a build machine",
    "/" "farm/": "a path of a build machine",
    "STOP-" "READ-ME": "a mark that isn't meant for readers",
    "deb." "debian.org": "the host of a package registry",
    "registry." "npmjs.org": "the host of a package registry",
}
INPUTS = "tests/fuzz/inputs/"  # of fuzzers: as they were found
FORBIDDEN_PATTERN = re.compile("|".join(map(re.escape, FORBIDDEN)))


def check(project):
    for path in project.tracked:
        text = project.read(path)
        if "\0" in text or path.startswith(INPUTS):
            continue
        no_tabs = path.endswith((".h", ".cpp", ".h.in"))
        for number, line in enumerate(text.split("\n"), 1):
            for match in FORBIDDEN_PATTERN.finditer(line):
                yield path, number, f"{match[0]}: {FORBIDDEN[match[0]]}"
            if line.endswith("\r"):
                yield path, number, "the line ends with CRLF"
            elif line != line.rstrip():
                yield path, number, "white space at the end of the line"
            if no_tabs and "\t" in line:
                yield path, number, "a tab"
