"""Unit tests test something, always, and never by sleeping."""

from lint_rules.project import is_test

MACROS = {"TEST", "TEST_F", "TEST_P", "TYPED_TEST", "TYPED_TEST_P"}
SLEEPS = {"sleep", "usleep", "nanosleep", "sleep_for", "sleep_until"}


def check(project):
    for path in filter(is_test, project.sources):
        names = [token for token in project.tokens(path) if token.kind == "name"]
        if not any(token.text in MACROS for token in names):
            yield path, 1, "no TEST in it"
        for token in names:
            if token.text.startswith("DISABLED_"):
                yield path, token.line, f"{token.text}: a test that never runs"
            elif token.text == "GTEST_SKIP":
                yield path, token.line, "GTEST_SKIP: a test that may not run"
            elif token.text in SLEEPS:
                yield path, token.line, f"{token.text}: wait for what happens, not for a time"
