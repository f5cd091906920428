"""Just enough of C++ to tell code from comments and strings, and a lambda from a subscript."""

import re
from typing import NamedTuple


class Token(NamedTuple):
    kind: str  # name, number, string, character, operator, directive
    text: str
    line: int


# A raw string comes before names ("R"), a directive is a whole logical line.
PATTERN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<comment>//(?:\\\n|[^\n])*|/\*.*?\*/)
    | (?P<raw>(?:u8|[uUL])?R"(?P<mark>[^()\\\s"]{0,16})\(.*?\)(?P=mark)")
    | (?P<string>(?:u8|[uUL])?"(?:\\.|[^"\\\n])*")
    | (?P<character>(?:u8|[uUL])?'(?:\\.|[^'\\\n])+')
    | (?P<number>\.?\d(?:[eEpP][+-]|'\w|[\w.])*)
    | (?P<name>[A-Za-z_]\w*)
    | (?P<directive>\#(?:\\\n|/\*.*?\*/|(?!//|/\*)[^\n])*)
    | (?P<operator>::|&&|\|\||->|==|!=|<=|>=|\.\.\.|.)
    """,
    re.VERBOSE | re.DOTALL,
)

CLOSING = {"(": ")", "[": "]", "{": "}"}
# Names after which "[" can't be a subscript.
NO_OPERAND = {"return", "co_return", "co_await", "co_yield", "throw", "else", "do", "case"}


def _scan(source: str) -> list[Token]:
    tokens, line = [], 1
    for match in PATTERN.finditer(source):
        kind, text = match.lastgroup, match.group()
        if kind not in ("space", "comment"):
            tokens.append(Token("string" if kind == "raw" else kind, text, line))
        line += text.count("\n")
    return tokens


def tokenize(source: str) -> list[Token]:
    """The code: no comments and no preprocessor lines."""
    return [token for token in _scan(source) if token.kind != "directive"]


def directives(source: str) -> list[Token]:
    return [token for token in _scan(source) if token.kind == "directive"]


def is_operator(token: Token, *texts: str) -> bool:
    return token.kind == "operator" and token.text in texts


def closing(tokens: list[Token], opening: int) -> int:
    """Where the bracket that opens at `opening` closes; the end where it never does."""
    depth = 0
    for index in range(opening, len(tokens)):
        if is_operator(tokens[index], *CLOSING):
            depth += 1
        elif is_operator(tokens[index], *CLOSING.values()):
            depth -= 1
            if depth == 0:
                return index
    return len(tokens) - 1


def after_template_arguments(tokens: list[Token], index: int) -> int:
    """If "<...>" stands at `index`, where it ends; else `index`."""
    if index >= len(tokens) or not is_operator(tokens[index], "<"):
        return index
    depth = 0
    for position in range(index, len(tokens)):
        token = tokens[position]
        if is_operator(token, "<"):
            depth += 1
        elif is_operator(token, ">"):
            depth -= 1
            if depth == 0:
                return position + 1
        elif is_operator(token, ";", "{", "}", "&&", "||"):
            break
    return index  # a comparison


def starts_lambda(tokens: list[Token], index: int) -> bool:
    """Whether "[" at `index` opens a list of captures: not a subscript, an array, an attribute or a
    structured binding."""
    if not is_operator(tokens[index], "["):
        return False
    if index + 1 < len(tokens) and is_operator(tokens[index + 1], "["):
        return False
    if index == 0:
        return True
    before = tokens[index - 1]
    if before.kind == "name":
        return before.text in NO_OPERAND
    if is_operator(before, "&", "&&") and tokens[index - 2].text == "auto":
        return False
    return before.kind == "operator" and before.text not in (")", "]", "[", ">")


def lambda_body(tokens: list[Token], index: int) -> tuple[int, int] | None:
    """The braces of the lambda whose captures open at `index`."""
    position = closing(tokens, index) + 1
    while position < len(tokens):
        if is_operator(tokens[position], "{"):
            return position, closing(tokens, position)
        if is_operator(tokens[position], ";", ")", "]", "}", ","):
            return None
        if is_operator(tokens[position], "("):
            position = closing(tokens, position)
        position += 1
    return None
