// "set_real_ip_from".
#include "config/directives/groups.h"
#include "config/peers.h"
#include "config/setters.h"

namespace postern::config {

namespace {

Outcome set_real_ip_from(Entry& entry)
{
    auto& peers = entry.field(&MailServer::real_ip_from);
    if (entry.first()) {
        peers.clear();
    }
    auto more = read_peers(entry);
    if (!more) {
        return std::unexpected(std::move(more.error()));
    }
    std::ranges::move(*more, std::back_inserter(peers));
    return {};
}

constexpr Directive kDirectives[] = {
    {.name = "set_real_ip_from",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = set_real_ip_from,
     .syntax = "ADDRESS | ADDRESS/BITS | HOST | unix:",
     .default_text = "nobody",
     .doc = "Peers, such as load balancers, whose PROXY header (`listen ... proxy_protocol`) is "
            "believed: from then on the address in it is the client's for `allow` and `deny`, for "
            "logs, for the authentication service and for mailbox servers. Others' headers are "
            "read, and change nothing. Those of a server replace those of `mail`.",
     .again = Again::adds},
};

}  // namespace

std::span<const Directive> real_ip_directives()
{
    return kDirectives;
}

}  // namespace postern::config
