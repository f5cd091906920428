"""Unit tests test something, always, and don't sleep where there is something to wait for."""

from lint_rules.layers import is_testing
from lint_rules.project import is_test

MACROS = {"TEST", "TEST_F", "TEST_P", "TYPED_TEST", "TYPED_TEST_P"}
SLEEPS = {"sleep", "usleep", "nanosleep", "sleep_for", "sleep_until"}

# path: why there is nothing else to wait for. A sleep may only make such a test weaker or slower: too
# short or too long a sleep never makes it fail.
MAY_SLEEP = {
    "src/auth/testing.h": "pieces of an answer shall arrive one by one",
    "src/auth/hash_pool_test.cpp": "work shall still run when the pool's destructor begins",
    "src/auth/users_file_test.cpp": "a file that the clock of its file system calls settled",
    "src/log/logger_test.cpp": "the next second of the clock",
}


def check(project):
    for path in filter(lambda path: is_test(path) or is_testing(path), project.sources):
        names = [token for token in project.tokens(path) if token.kind == "name"]
        if is_test(path) and not any(token.text in MACROS for token in names):
            yield path, 1, "no TEST in it"
        for token in names:
            if token.text.startswith("DISABLED_"):
                yield path, token.line, f"{token.text}: a test that never runs"
            elif token.text == "GTEST_SKIP":
                yield path, token.line, "GTEST_SKIP: a test that may not run"
            elif token.text in SLEEPS and path not in MAY_SLEEP:
                yield path, token.line, f"{token.text}: wait for what happens, not for a time"
        if path in MAY_SLEEP and not any(token.text in SLEEPS for token in names):
            yield path, 1, "doesn't sleep: take it off the list of those that may"
