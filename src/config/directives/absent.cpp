// What NGINX has and this version of Postern doesn't. Refused by name: a directive that was quietly
// ignored would leave an administrator with less protection than the file says.
#include "config/directives/groups.h"

namespace postern::config {

namespace {

constexpr Directive absent(std::string_view name, unsigned where = kMail | kServer)
{
    return {.name = name,
            .where = where,
            .args = {0, Arity::kAny},
            .again = Again::adds,
            .support = Support::none};
}

constexpr Directive kDirectives[] = {
    absent("debug_connection", kEvents),
};

}  // namespace

std::span<const Directive> absent_directives()
{
    return kDirectives;
}

}  // namespace postern::config
