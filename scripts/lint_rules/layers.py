"""Who may include whom. The truth is src/CMakeLists.txt: postern_folder(NAME DEPENDS...)."""

import fnmatch
import re

from lint_rules.project import folder_of, is_test

LISTS = "src/CMakeLists.txt"
FOLDER_LINE = re.compile(r"^\s*postern_folder\(([^)]*)\)", re.MULTILINE)
VARIABLES = {"${session_protocols}": ["imap", "pop3", "smtp"]}

# In src/ itself, or made there by CMake: for everybody.
COMMON = {"build_info.h", "precompiled.h"}
MAIN = "src/main.cpp"
MAIN_MAY_INCLUDE = {"process", "config", "base", "log", "listen", "auth/passwd_command.h"}
# A grammar is quick to compile, to test and to fuzz: it knows no loop, socket or settings.
GRAMMARS = ("src/*/grammar*", "src/imap/command_parser*")
GRAMMAR_MAY_INCLUDE = {"base", "sasl"}


def check(project):
    if not project.exists(LISTS):
        yield LISTS, 1, "is not there"
        return
    folders = {}
    text = project.read(LISTS)
    for match in FOLDER_LINE.finditer(text):
        line = text.count("\n", 0, match.start(1)) + 1
        name, *dependencies = match[1].split()
        folders[name] = []
        for dependency in dependencies:
            if dependency.startswith("$") and dependency not in VARIABLES:
                yield LISTS, line, f"{name} depends on {dependency}, which lint can't resolve"
            else:
                folders[name] += VARIABLES.get(dependency, [dependency])
    for name, dependencies in folders.items():
        for dependency in dependencies:
            if dependency not in folders:
                yield LISTS, 1, f"{name} depends on {dependency}, which has no postern_folder line"

    yield from _cycles("folders", folders, lambda name: LISTS)
    includes = {path: [included for _, included in project.own_includes(path)]
                for path in project.sources}
    yield from _cycles("headers", includes, lambda path: path)
    for path in project.sources:
        yield from _includes(project, path, folders)
        if any(fnmatch.fnmatchcase(path, pattern) for pattern in GRAMMARS):
            yield from _grammar(project, path)


def is_testing(path):
    """Is this a header for tests: testing.h, testing_WHAT.h?"""
    return fnmatch.fnmatchcase(path, "*/testing.h") or fnmatch.fnmatchcase(path, "*/testing_*.h")


def _includes(project, path, folders):
    folder = folder_of(path)
    if folder and folder not in folders:
        yield path, 1, f"{folder} has no postern_folder line in {LISTS}"
        return
    for line, name, quoted in project.includes(path):
        if name.startswith(("gtest/", "gmock/")):
            if not is_test(path) and not is_testing(path):
                yield path, line, f"only tests include {name}"
        elif quoted and name not in COMMON:
            target = name.split("/")[0] if "/" in name else ""
            if not target:
                yield path, line, f'"{name}" without its folder'
            elif path == MAIN:
                if not {target, name} & MAIN_MAY_INCLUDE:
                    yield path, line, f"main.cpp may not include {name}"
            elif target != folder and folder and target not in folders[folder]:
                yield path, line, f"{folder} may not include {target} ({name})"
            elif is_testing(name) and not is_test(path) and not is_testing(path):
                yield path, line, f"only tests include {name}"


def _grammar(project, path):
    allowed = GRAMMAR_MAY_INCLUDE | {folder_of(path)}
    for line, included in project.own_includes(path):
        for reached in sorted(project.closure(included)):
            if folder_of(reached) not in allowed and reached.removeprefix("src/") not in COMMON:
                by = "" if reached == included else f" by way of {included}"
                yield path, line, f"a grammar may not include {reached}{by}"


def _cycles(what, graph, place):
    """One finding for each cycle that a walk in depth meets."""
    done = set()
    for start in sorted(graph):
        way, waiting = [], [(start, 0)]
        while waiting:
            node, depth = waiting.pop()
            del way[depth:]
            if node in way:
                circle = [*way[way.index(node):], node]
                yield place(node), 1, f"a cycle of {what}: {' > '.join(circle)}"
            elif node not in done:
                way.append(node)
                done.add(node)
                waiting.extend((target, depth + 1) for target in graph.get(node, []))
