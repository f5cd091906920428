#include "config/reference.h"

#include <fmt/format.h>

#include "config/reference_entry.h"

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

}  // namespace

std::string directive_reference()
{
    std::string text(kIntroduction);
    for (const DirectiveGroup& group : directive_groups()) {
        text += fmt::format("\n## {}\n", group.title);
        for (const Directive& directive : group.directives) {
            const ReferenceEntry entry = describe(directive);
            text += fmt::format(
                "\n### {}\n\n{}\n\n- Syntax: {}\n- Default: {}\n- Context: {}\n- Since: {}\n",
                directive.name, entry.meaning, entry.syntax, entry.default_value, entry.contexts,
                entry.since);
        }
    }
    return text;
}

}  // namespace postern::config
