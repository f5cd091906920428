"""Each header compiles alone. What compiled is remembered in build/lint/headers/, by the contents of
the header and of all that it includes, so that only what changed is compiled again."""

import hashlib
import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

COMPILER = "clang++-19"
FLAGS = ["-std=c++23", "-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers",
         "-fsyntax-only", "-x", "c++", "-Isrc", "-I."]
ERROR = re.compile(r"^(.+?):(\d+):\d+: (?:fatal )?error: (.*)$", re.MULTILINE)
GENERATED = "build_info.h"


def check(project):
    if not project.headers:
        return
    if shutil.which(COMPILER) is None:
        yield project.headers[0], 1, f"{COMPILER} is not installed"
        return
    flags = [*FLAGS, *_generated_flags(project)]
    cache = project.root / "build/lint/headers"
    cache.mkdir(parents=True, exist_ok=True)
    keys = {header: _key(project, header, flags) for header in project.headers}
    for known in cache.iterdir():
        if known.name not in keys.values():
            known.unlink(missing_ok=True)

    def complaint(header):
        known = cache / keys[header]
        if known.exists():
            return None
        # Not the header itself: it is no main file, and "#pragma once" in one is a warning.
        source = f'#include "{header.removeprefix("src/")}"\n'
        result = subprocess.run([COMPILER, *flags, "-"], cwd=project.root, input=source,
                                capture_output=True, text=True)
        if result.returncode == 0:
            known.touch()
            return None
        return result.stderr.strip() or f"status {result.returncode}"

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for header, errors in zip(project.headers, pool.map(complaint, project.headers)):
            if errors is not None:
                yield _finding(project, header, errors)


def _finding(project, header, errors):
    match = ERROR.search(errors)
    if match is None:
        return header, 1, f"doesn't compile alone: {errors.splitlines()[-1]}"
    file = os.path.relpath(project.root / match[1], project.root)
    if file == header:
        return header, int(match[2]), f"doesn't compile alone: {match[3]}"
    return header, 1, f"doesn't compile alone: {file}:{match[2]}: {match[3]}"


def _key(project, header, flags):
    digest = hashlib.sha256(repr((header, flags)).encode())
    for path in sorted(project.closure(header)):
        digest.update(f"{path}\n{project.read(path)}\n".encode())
    return digest.hexdigest()


def _generated_flags(project):
    """Where CMake has made build_info.h; only if a header includes it."""
    if not any(name == GENERATED for header in project.headers
               for _, name, _ in project.includes(header)):
        return []
    build = project.root / "build"
    places = [build / "release/generated", *sorted(build.glob("*/generated"))]
    for place in places:
        if (place / GENERATED).is_file():
            return [f"-I{place.relative_to(project.root)}"]
    subprocess.run(["cmake", "-S", ".", "-B", "build/lint/configured", "-DPOSTERN_TESTS=OFF",
                    f"-DCMAKE_CXX_COMPILER={COMPILER}", "--log-level=WARNING", "--no-warn-unused-cli"],
                   cwd=project.root, check=True, stdout=subprocess.DEVNULL)
    return ["-Ibuild/lint/configured/generated"]
