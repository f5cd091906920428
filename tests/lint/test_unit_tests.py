import pytest


@pytest.mark.parametrize("path, code", [
    ("src/net/a_test.cpp", "TEST(A, B) {}\n"),
    ("src/net/a_test.cpp", "TEST_F(A, B) {}\n"),
    ("src/net/a_test.cpp", "TEST(A, B) {}  // DISABLED_ GTEST_SKIP usleep\n"),
    ("src/net/a.cpp", "void f() { std::this_thread::sleep_for(1s); }\n"),
    ("src/auth/users_file_test.cpp", "TEST(A, B) { sleep_for(1s); }\n"),
])
def test_good(tree, path, code):
    tree.write(path, code)
    tree.none("unit-tests")


@pytest.mark.parametrize("code, words", [
    ("// TEST(A, B)\n", "no TEST"),
    ("void TEST_helper();\n", "no TEST"),
    ("TEST(A, DISABLED_B) {}\n", "never runs"),
    ("TEST(A, B) { GTEST_SKIP(); }\n", "GTEST_SKIP"),
    ("TEST(A, B) { std::this_thread::sleep_for(1s); }\n", "sleep_for"),
    ("TEST(A, B) { usleep(1); }\n", "usleep"),
    ("TEST(A, B) { ::sleep(1); }\n", "sleep"),
])
def test_bad(tree, code, words):
    tree.write("src/net/a_test.cpp", code)
    tree.one("unit-tests", "src/net/a_test.cpp:1", words)


def test_who_may_sleep_does(tree):
    tree.write("src/auth/users_file_test.cpp", "TEST(A, B) {}\n")
    tree.one("unit-tests", "src/auth/users_file_test.cpp:1", "take it off the list")
