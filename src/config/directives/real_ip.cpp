// "set_real_ip_from".
#include "config/directives/groups.h"
#include "config/setters.h"
#include "config/url.h"

namespace postern::config {

namespace {

// What may be written in front of a name: NGINX resolves it when it reads the configuration.
Outcome add_host(Entry& entry, std::vector<TrustedPeer>& peers)
{
    Url url;
    url.host = entry.argument(0);
    const auto addresses = resolve(url, 0);
    if (addresses.empty()) {
        return std::unexpected(fmt::format(
            "host not found in set_real_ip_from \"{}\" (an address, ADDRESS/BITS, unix: or a host "
            "name is wanted)",
            entry.argument(0)));
    }
    for (const SocketAddress& address : addresses) {
        peers.push_back({.network = *Network::parse(address.ip_text())});
    }
    return {};
}

Outcome set_real_ip_from(Entry& entry)
{
    auto& peers = entry.field(&MailServer::real_ip_from);
    if (entry.first()) {
        peers.clear();
    }
    const std::string& text = entry.argument(0);
    if (text == "unix:") {
        peers.push_back({.unix_socket = true});
        return {};
    }
    bool host_bits_set = false;
    const auto network = Network::parse(text, &host_bits_set);
    if (!network) {
        return add_host(entry, peers);
    }
    if (host_bits_set) {
        entry.warn(fmt::format("low address bits of {} are meaningless", text));
    }
    peers.push_back({.network = *network});
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
