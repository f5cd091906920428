"""What g++ 12 miscompiles, and what dangles.

g++ 12 destroys lambdas and braced or aggregate temporaries inside a co_await expression twice. Only
names, literals, accessors and std::move(name) belong there; make the rest a local variable above.
A lambda that is a coroutine loses its captures at its first wait: the lambda object is gone by then.
"""

import re

from lint_rules import cxx

# PascalCase(...) or PascalCase{...} makes a temporary. kConstant and MACRO are none.
TYPE = re.compile(r"[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*")
STANDARD_TYPES = {"string", "vector", "optional", "variant", "function", "pair", "tuple", "array",
                  "map", "set", "deque", "list", "expected", "unique_ptr", "shared_ptr"}
ENDS = (";", ",", "&&", "||", "?", ":")
COROUTINE = {"co_await", "co_return", "co_yield"}


def check(project):
    for path in project.sources:
        tokens = project.tokens(path)
        for index, token in enumerate(tokens):
            if token.kind == "name" and token.text == "co_await":
                if found := _in_operand(tokens, index):
                    line, what = found
                    yield path, line, f"{what} inside a co_await expression: g++ 12 destroys it twice"
            elif cxx.starts_lambda(tokens, index) and _keeps_captures_too_long(tokens, index):
                yield path, token.line, "a lambda with captures is a coroutine: they won't outlive its first wait"


def _in_operand(tokens, start):
    """The first (line, what) that may not be in the operand of the co_await at `start`."""
    depth = 0
    for index in range(start + 1, len(tokens)):
        token = tokens[index]
        if token.kind == "name" and _makes_temporary(tokens, index):
            return token.line, f"a temporary {token.text}"
        if token.kind != "operator":
            continue
        if token.text == "{":
            return token.line, "a braced initialiser"
        if token.text == "[" and cxx.starts_lambda(tokens, index):
            return token.line, "a lambda"
        if token.text in ("(", "["):
            depth += 1
        elif token.text in (")", "]", "}"):
            if depth == 0:
                return None
            depth -= 1
        elif depth == 0 and token.text in ENDS:
            return None
    return None


def _makes_temporary(tokens, index):
    after = cxx.after_template_arguments(tokens, index + 1)
    if after >= len(tokens) or not cxx.is_operator(tokens[after], "(", "{"):
        return False
    if tokens[index].text in STANDARD_TYPES:
        return index >= 2 and [token.text for token in tokens[index - 2:index]] == ["std", "::"]
    return TYPE.fullmatch(tokens[index].text) is not None


def _keeps_captures_too_long(tokens, index):
    if cxx.closing(tokens, index) == index + 1:
        return False
    body = cxx.lambda_body(tokens, index)
    if body is None:
        return False
    position, end = body
    while position < end:
        if cxx.starts_lambda(tokens, position) and (inner := cxx.lambda_body(tokens, position)):
            position = inner[1]  # an inner lambda waits for itself, and is looked at by itself
        elif tokens[position].text in COROUTINE and tokens[position].kind == "name":
            return True
        position += 1
    return False
