"""Small files and small functions. A function that is one big switch may be longer: it is a table."""

from lint_rules import cxx
from lint_rules.project import is_test

FILE_LINES = 400
TEST_FILE_LINES = 600
FUNCTION_LINES = 70
ACCESS = {"public", "protected", "private"}

# path: why it is longer
LONG_FILES: dict[str, str] = {}


def check(project):
    for path in project.sources:
        limit = TEST_FILE_LINES if is_test(path) else FILE_LINES
        lines = len(project.read(path).splitlines())
        if lines > limit and path not in LONG_FILES:
            yield path, 1, f"{lines} lines, more than {limit}"
        if lines <= limit and path in LONG_FILES:
            yield path, 1, f"{lines} lines: take it off the list of long files"
        for name, first, last, has_switch in functions(project.tokens(path)):
            if last - first + 1 > FUNCTION_LINES and not has_switch:
                yield path, first, f"{name} has {last - first + 1} lines, more than {FUNCTION_LINES}"


def functions(tokens):
    """(name, first line, last line, has a switch) of each function that is in a namespace or class."""
    start = index = 0  # `start`: where the declaration begins that `index` is in
    while index < len(tokens):
        token = tokens[index]
        if cxx.is_operator(token, ";", "}") or _ends_access(tokens, index):
            start = index + 1
        elif cxx.is_operator(token, "(", "["):
            index = cxx.closing(tokens, index)
        elif cxx.is_operator(token, "{"):
            end = cxx.closing(tokens, index)
            declaration = tokens[start:index]
            words = {word.text for word in declaration}
            if _opens_scope(declaration, words):
                start = index + 1
            elif _is_body(tokens, index, end, words):
                switch = any(part.kind == "name" and part.text == "switch" for part in tokens[index:end])
                yield _name(declaration), tokens[start].line, tokens[end].line, switch
                index, start = end, end + 1
            else:
                index = end  # an initialiser, of a variable or of a member before a constructor's body
        index += 1


def _ends_access(tokens, index):
    """Whether the ":" of "public:" stands there."""
    return cxx.is_operator(tokens[index], ":") and index > 0 and tokens[index - 1].text in ACCESS


def _opens_scope(declaration, words):
    if "namespace" in words or [part.text for part in declaration[-2:]] == ["extern", '"C"']:
        return True
    return bool(words & {"class", "struct", "union"}) and "(" not in words and "enum" not in words


def _is_body(tokens, opening, end, words):
    follows = tokens[end + 1] if end + 1 < len(tokens) else None
    if follows and cxx.is_operator(follows, ",", "{"):
        return False
    return "(" in words and not cxx.is_operator(tokens[opening - 1], "=", ",", "return")


def _name(declaration):
    for index, token in enumerate(declaration):
        if cxx.is_operator(token, "(") and index > 0:
            return "".join(part.text for part in _qualified(declaration, index))
    return "a function"


def _qualified(declaration, parenthesis):
    first = parenthesis - 1
    while first >= 2 and declaration[first - 1].text in ("::", "~"):
        first -= 2 if declaration[first - 1].text == "::" else 1
    return declaration[first:parenthesis]
