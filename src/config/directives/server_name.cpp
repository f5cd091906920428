#include "config/directives/server_name.h"

#include <fmt/format.h>

#include "base/text.h"
#include "config/setters.h"

namespace postern::config {

namespace {

// A name, or "*.DOMAIN". Not what NGINX's http servers have besides: ".DOMAIN", "NAME.*" and "~"
// for regular expressions.
bool is_valid(std::string_view name)
{
    if (name.starts_with("*.")) {
        name.remove_prefix(2);
        if (name.empty()) {
            return false;
        }
    }
    return !name.starts_with('.') && !name.starts_with('~') &&
           name.find('*') == std::string_view::npos;
}

// As clients ask for it: lower case, without the last dot.
std::string as_asked_for(std::string_view name)
{
    if (name.ends_with('.')) {
        name.remove_suffix(1);
    }
    return to_lower(name);
}

}  // namespace

// The first name that is no wildcard is what we call ourselves, as it is written. NGINX's mail
// proxy has a single name and takes any text.
Outcome server_name(Entry& entry)
{
    std::vector<std::string> names;
    const std::string* own = nullptr;
    for (const std::string& name : entry.arguments()) {
        if (has_control(name)) {
            return entry.invalid("value", "text without control characters");
        }
        if (!is_valid(name)) {
            return std::unexpected(
                fmt::format("server name \"{}\" is invalid (a name or *.DOMAIN is wanted)", name));
        }
        own = own == nullptr && !name.starts_with('*') ? &name : own;
        if (!name.empty()) {
            names.push_back(as_asked_for(name));
        }
    }
    if (own != nullptr) {
        entry.field(&MailServer::server_name) = *own;
    }
    entry.field(&MailServer::names) = std::move(names);
    return {};
}

}  // namespace postern::config
