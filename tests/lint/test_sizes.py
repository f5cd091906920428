import pytest

LINE = "    run();\n"


@pytest.mark.parametrize("path, limit", [("src/net/a.cpp", 400), ("src/net/a.h", 400),
                                         ("src/net/a_test.cpp", 600)])
def test_a_file(tree, path, limit):
    tree.write(path, "\n" * limit)
    tree.none("sizes")
    tree.write(path, "\n" * (limit + 1))
    tree.one("sizes", f"{path}:1", f"{limit + 1} lines, more than {limit}")


# Each is a function of 70 lines if %s has as many as the number says.
@pytest.mark.parametrize("frame, name, inside", [
    ("void f()\n{\n%s}\n", "f", 67),
    ("namespace a {\nnamespace {\nint A::f(int x, B y) const\n{\n%s}\n}\n}\n", "A::f", 67),
    ("struct A : B<int> {\n    int x = 1;\n    void f() {\n%s}\n};\n", "f", 68),
    ("class A final\n{\npublic:\n    A() : a_{1}, b_(2) {\n%s}\n};\n", "A", 68),
    ("A::A(int x)\n    : a_{x}, b_{2}\n{\n%s}\n", "A::A", 66),
    ("TEST_F(A, B)\n{\n%s}\n", "TEST_F", 67),
    ("template <typename T>\nvoid f(T x = {})\n{\n%s}\n", "f", 66),
    ("const char* kText = \"{\"; // {\n/* { */ void f()\n{\n%s}\n", "f", 67),
    ("enum class A { one, two };\nconst A kOne[] = {A{1}, A{2}};\nA f()\n{\n%s}\n", "f", 67),
    ("A::~A()\n{\n%s}\n", "A::~A", 67),
])
def test_a_function(tree, frame, name, inside):
    tree.write("src/net/a.cpp", frame % (LINE * inside))
    tree.none("sizes")
    tree.write("src/net/a.cpp", frame % (LINE * (inside + 1)))
    findings = tree.lint("sizes")
    assert len(findings) == 1 and f"{name} has 71 lines, more than 70" in findings[0], findings


def test_the_first_line_is_told(tree):
    tree.write("src/net/a.cpp", "int x;\n\n// about f\nint f()\n{\n" + LINE * 80 + "}\n")
    tree.one("sizes", "src/net/a.cpp:4")


def test_a_switch_may_be_long(tree):
    tree.write("src/net/a.cpp", "void f()\n{\nswitch (x) {\n" + LINE * 80 + "}\n}\n")
    tree.none("sizes")
    tree.write("src/net/a.cpp", "void f()\n{\n// switch\n\"switch\";\n" + LINE * 80 + "}\n")
    tree.one("sizes", "src/net/a.cpp:1")


def test_a_class_a_namespace_and_a_table_may_be_long(tree):
    rows = "    {1, 2},\n" * 80
    tree.write("src/net/a.cpp", "namespace a {\nstruct B {\n" + "    int f() { return 1; }\n" * 80 +
               "};\nconst int kTable[][2] = {\n" + rows + "};\nconst Table kOther{\n" + rows + "};\n}\n")
    tree.none("sizes")
