#include "config/reference.h"

#include <fmt/format.h>

#include "config/directive.h"

namespace postern::config {

namespace {

constexpr std::string_view kIntroduction =
    R"(# Directives

Written by the program from its table of directives; edit that, not this file.

The language is NGINX's. A *time* is `500ms`, `30s`, `5m`, `1h30m`, `2d` or `1w`, and a bare number
counts as seconds; a *size* is `4096`, `4k` or `1m`. A `server` block inherits what its `mail` block
says, wherever in it that stands. A list is inherited as a whole: the first line of it in a `server`
block replaces what `mail` says. Other directives may be used once in a block unless it says otherwise
below.

| since | meaning |
|---|---|
| NGINX | means here what it means there |
| Postern | our own: NGINX refuses it |
)";

std::string_view meaning(const Directive& directive)
{
    return directive.support == Support::full
               ? directive.doc
               : "Accepted with a warning: it has no effect in Postern.";
}

std::string syntax(const Directive& directive)
{
    const bool block = directive.kind == Kind::block || directive.kind == Kind::foreign;
    return fmt::format("`{}{}{}{}`", directive.name, directive.syntax.empty() ? "" : " ",
                       directive.syntax, block ? " { … }" : ";");
}

std::string default_value(const Directive& directive)
{
    if (!directive.default_text.empty()) {
        return std::string(directive.default_text);
    }
    return directive.initial.empty() ? "–" : fmt::format("`{}`", directive.initial);
}

std::string contexts(unsigned where)
{
    std::string names;
    for (const char c : context_names(where)) {
        names += c == '"' ? '`' : c;
    }
    return names;
}

std::string_view repetition(Again again)
{
    switch (again) {
    case Again::refused:
        return "";
    case Again::last_wins:
        return " Written again in the same block, the last one counts.";
    case Again::adds:
        return " May be repeated.";
    }
    std::unreachable();
}

}  // namespace

std::string directive_reference()
{
    std::string text(kIntroduction);
    for (const DirectiveGroup& group : directive_groups()) {
        text += fmt::format("\n## {}\n", group.title);
        for (const Directive& directive : group.directives) {
            text += fmt::format(
                "\n### {}\n\n{}{}\n\n- Syntax: {}\n- Default: {}\n- Context: {}\n- Since: {}\n",
                directive.name, meaning(directive), repetition(directive.again), syntax(directive),
                default_value(directive), contexts(directive.where),
                directive.since == Since::nginx ? "NGINX" : "Postern");
        }
    }
    return text;
}

}  // namespace postern::config
