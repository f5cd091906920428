#include <fmt/format.h>

#include "config/reference.h"
#include "config/reference_entry.h"
#include "config/troff.h"

namespace postern::config {

std::string directive_manual()
{
    std::string text;
    for (const DirectiveGroup& group : directive_groups()) {
        text += fmt::format(".SS {}\n", group.title);
        for (const Directive& directive : group.directives) {
            const ReferenceEntry entry = describe(directive);
            const std::string_view syntax = entry.syntax;  // all of it is code
            text += fmt::format(".TP\n{}\n{}", troff_syntax(syntax.substr(1, syntax.size() - 2)),
                                troff_paragraph(entry.meaning));
            const bool has_default = entry.default_value != "–";
            const std::string facts = fmt::format(
                "{}{} {}.{}", has_default ? "Default: " + entry.default_value + "; " : "",
                has_default ? "in" : "In", entry.contexts,
                directive.since == Since::postern ? " NGINX doesn't have it." : "");
            text += ".br\n" + troff_paragraph(facts);
        }
    }
    return text;
}

}  // namespace postern::config
