#include "config/reference_entry.h"

#include <fmt/format.h>

namespace postern::config {

namespace {

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

ReferenceEntry describe(const Directive& directive)
{
    return {.meaning = fmt::format("{}{}", meaning(directive), repetition(directive.again)),
            .syntax = syntax(directive),
            .default_value = default_value(directive),
            .contexts = contexts(directive.where),
            .since = directive.since == Since::nginx ? "NGINX" : "Postern"};
}

}  // namespace postern::config
