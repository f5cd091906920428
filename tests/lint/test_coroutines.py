import pytest


@pytest.mark.parametrize("code", [
    "co_await run(client, std::move(name), kLimit, 5, \"text {\", 'x', line->text, at.end());",
    "co_await net::Stream::connect(loop_, address, share);",
    "auto line = co_await client().read_line(table[index], *kept, &peer);",
    "while (!co_await event) { Type value{1}; }",
    "if (co_await ready) { return Type{}; }",
    "f(co_await name, Type{1});",
    "co_await first && Type{1}.ok();",
    "co_await flag ? Type{1} : Type{2};",
    "run(Type{1}); co_await name;",
    "// co_await Type{1}\n/* co_await Type{1} */ auto x = R\"(co_await Type{1};)\";",
    "auto text = \"\\\" co_await Type{1};\";",
    "auto mark = '\"'; co_await name; run(Type{1}); mark = '\"';",
    "auto big = 1'000'000; co_await run(big); run(Type{1});",
    "auto x = R\"x(\" co_await Type{1} )\" )x\";",
    "co_await run<Type>(name);",
    "co_await run(std::string_view(text), static_cast<Type>(number), kLimit(1), POSTERN_X(name));",
    "co_await string(name);",
    "#define WAIT(x) co_await Type{x}\n",
])
def test_operands_that_are_sound(tree, code):
    tree.write("src/net/a.cpp", f"Task<> f()\n{{\n{code}\n}}\n")
    tree.none("coroutines")


@pytest.mark.parametrize("code, words", [
    ("co_await run(Type{1});", "a temporary Type"),
    ("co_await run(Type(1));", "a temporary Type"),
    ("co_await run(net::Type(1));", "a temporary Type"),
    ("co_await run(Type<int>{1});", "a temporary Type"),
    ("co_await Type(1);", "a temporary Type"),
    ("co_await Stream::connect(Type{});", "a temporary Type"),
    ("co_await run(std::string(text));", "a temporary string"),
    ("co_await run(std::vector<std::pair<int, int>>(3));", "a temporary vector"),
    ("co_await run({1, 2});", "a braced initialiser"),
    ("co_await run(name, {});", "a braced initialiser"),
    ("co_await run(int{5});", "a braced initialiser"),
    ("co_await run([] { return 1; });", "a lambda"),
    ("co_await run(name, [&](int x) { return x; });", "a lambda"),
    ("co_await run(table[1], [=] { return 1; });", "a lambda"),
    ("co_await (flag && run(Type{}));", "a temporary Type"),
    ("co_await run(\n\n\"(\" /* ) */, Type{});", "a temporary Type"),
    ("return f(co_await run({}));", "a braced initialiser"),
    ("if (!co_await run(')', Type{})) {}", "a temporary Type"),
])
def test_operands_that_are_destroyed_twice(tree, code, words):
    tree.write("src/net/a.cpp", code + "\n")
    place = 3 if "\n\n" in code else 1
    tree.one("coroutines", f"src/net/a.cpp:{place}", words, "g++ 12")


@pytest.mark.parametrize("code", [
    "auto f = []() -> Task<> { co_return; };",
    "auto f = [](Task<> task) { co_await task; };",
    "auto f = [&] { run(); };",
    "auto f = [&] { return [](int x) -> Task<int> { co_return x; }; };",
    "auto [a, b] = pair; { co_return a; }",
    "for (const auto& [a, b] : pairs) { co_await b; }",
    "for (auto&& [a, b] : pairs) { co_await b; }",
    "const auto& [a, b] = Pair{co_await c};",
    "[[nodiscard]] Task<> f() { co_return; }",
    "Task<> f(int x[3]) { co_return; }",
    "Task<> operator[](int x) { co_return; }",
    "void f() { delete[] x; } Task<> g() { co_return; }",
    "if (table[key]) { co_return; }",
])
def test_lambdas_that_are_sound(tree, code):
    tree.write("src/net/a.cpp", code + "\n")
    tree.none("coroutines")


@pytest.mark.parametrize("code", [
    "auto f = [&]() -> Task<> { co_return; };",
    "auto f = [this] { co_await run(); };",
    "auto f = [x = 1](int y) mutable noexcept -> Task<std::vector<int>> { co_yield x; };",
    "auto f = [=] { if (x) { while (y) { co_return; } } };",
    "spawn([&] { co_return; });",
    "return [x] { co_return; };",
    "auto f = [] { return [&] { co_return; }; };",
    "auto f = [&](auto g = [] { return 1; }) { co_return; };",
])
def test_coroutine_lambdas_with_captures(tree, code):
    tree.write("src/net/a.cpp", "\n" + code + "\n")
    tree.one("coroutines", "src/net/a.cpp:2", "a lambda with captures is a coroutine")


def test_headers_and_tests_are_looked_at(tree):
    tree.write("src/net/a.h", "co_await Type{};\n")
    tree.write("src/net/a_test.cpp", "co_await Type{};\n")
    assert len(tree.lint("coroutines")) == 2
