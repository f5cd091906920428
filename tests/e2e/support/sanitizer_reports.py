"""A pytest plug-in: what a sanitizer finds, in any process that a test has started, fails that test. Whatever
else the test has seen: a worker that a report has ended is replaced by its master at once."""

import os
import shutil
import tempfile

import pytest

# Common to all of them. Leaks are looked for when a process ends by itself.
OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=1",
    "TSAN_OPTIONS": "second_deadlock_stack=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


class Reports:
    """The folder that sanitizers write to, each process a file. Workers run as other users: all may write."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="sanitizer-reports-", dir="/tmp")
        os.chmod(self.folder, 0o777)

    def install(self):
        for name, options in OPTIONS.items():
            given = os.environ.get(name)
            os.environ[name] = ":".join(filter(None, (options, given, f"log_path={self.folder}/report")))

    def take(self):
        """What has come since the last time, as one text."""
        texts = []
        for name in sorted(os.listdir(self.folder)):
            path = os.path.join(self.folder, name)
            with open(path, errors="replace") as report:
                texts.append(f"--- {name}\n{report.read()[:20000]}")
            os.unlink(path)
        return "\n".join(texts)

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def pytest_configure(config):
    config.sanitizer_reports = Reports()
    config.sanitizer_reports.install()


def pytest_unconfigure(config):
    config.sanitizer_reports.remove()


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_teardown(item):
    """After all fixtures, as leaks are found when a process ends; those of a module end with its last test."""
    outcome = yield
    text = item.config.sanitizer_reports.take()
    if text:
        outcome.get_result()
        pytest.fail(f"a sanitizer has reported:\n{text}", pytrace=False)
