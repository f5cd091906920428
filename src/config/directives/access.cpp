// "allow" and "deny".
#include "config/directives/groups.h"
#include "config/setters.h"

namespace postern::config {

namespace {

Outcome add_rule(Entry& entry, bool allow)
{
    auto& rules = entry.field(&MailServer::access);
    if (entry.first_of({"allow", "deny"})) {
        rules.clear();
    }
    const std::string& text = entry.argument(0);
    AccessRule rule{.allow = allow};
    if (text == "all") {
        rule.who = AccessRule::Who::all;
    } else if (text == "unix:") {
        rule.who = AccessRule::Who::unix_socket;
    } else {
        bool host_bits_set = false;
        const auto network = Network::parse(text, &host_bits_set);
        if (!network) {
            return std::unexpected(fmt::format(
                "invalid parameter \"{}\" (an address, ADDRESS/BITS, unix: or all is wanted)",
                text));
        }
        if (host_bits_set) {
            entry.warn(fmt::format("low address bits of {} are meaningless", text));
        }
        rule.who = AccessRule::Who::network;
        rule.network = *network;
    }
    rules.push_back(rule);
    return {};
}

Outcome allow(Entry& entry)
{
    return add_rule(entry, true);
}

Outcome deny(Entry& entry)
{
    return add_rule(entry, false);
}

constexpr Directive kDirectives[] = {
    {.name = "allow",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = allow,
     .syntax = "ADDRESS | ADDRESS/BITS | unix: | all",
     .default_text = "everybody may connect",
     .doc = "Lets these clients in. The first `allow` or `deny` that matches decides; those of a "
            "server replace those of `mail`.",
     .again = Again::adds,
     .since = Since::postern},
    {.name = "deny",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = deny,
     .syntax = "ADDRESS | ADDRESS/BITS | unix: | all",
     .default_text = "everybody may connect",
     .doc = "Tells these clients that they may not connect, and hangs up. See `allow`.",
     .again = Again::adds,
     .since = Since::postern},
};

}  // namespace

std::span<const Directive> access_directives()
{
    return kDirectives;
}

}  // namespace postern::config
