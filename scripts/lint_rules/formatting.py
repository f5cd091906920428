"""clang-format decides, with the .clang-format of the tree."""

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

PROGRAM = "clang-format-19"
COMPLAINT = re.compile(r"^(.+?):(\d+):\d+: error: ")
BATCH = 20


def check(project):
    if not project.sources:
        return
    if shutil.which(PROGRAM) is None:
        yield ".clang-format", 1, f"{PROGRAM} is not installed"
        return
    seen = set()
    for path, line, message in _run(project, "--dry-run", "-Werror"):
        if path not in seen:  # its first line will do
            seen.add(path)
            yield path, line, message


def fix(project):
    for path, _, message in _run(project, "-i"):
        raise SystemExit(f"{path}: {message}")


def _run(project, *options):
    batches = [project.sources[at:at + BATCH] for at in range(0, len(project.sources), BATCH)]

    def run(paths):
        return subprocess.run([PROGRAM, *options, *paths], cwd=project.root, capture_output=True,
                              text=True)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for paths, result in zip(batches, pool.map(run, batches)):
            complaints = [match for match in map(COMPLAINT.match, result.stderr.splitlines()) if match]
            for match in complaints:
                yield match[1], int(match[2]), "not as clang-format has it; scripts/lint --fix"
            if result.returncode != 0 and not complaints:
                yield paths[0], 1, f"{PROGRAM} failed: {result.stderr.strip()}"
