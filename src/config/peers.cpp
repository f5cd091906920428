#include "config/peers.h"

#include <fmt/format.h>

#include "config/url.h"

namespace postern::config {

std::expected<std::vector<PeerRule>, std::string> read_peers(Entry& entry)
{
    const std::string& text = entry.argument(0);
    std::vector<PeerRule> peers;
    if (text == "unix:") {
        peers.push_back({.unix_socket = true});
        return peers;
    }
    bool host_bits_set = false;
    if (const auto network = Network::parse(text, &host_bits_set)) {
        if (host_bits_set) {
            entry.warn(fmt::format("low address bits of {} are meaningless", text));
        }
        peers.push_back({.network = *network});
        return peers;
    }
    const auto url = parse_url(text, UrlForm::server);
    const bool is_name = url && !url->is_unix() && !url->port && !text.starts_with('[');
    for (const SocketAddress& address : is_name ? resolve(*url, 0) : std::vector<SocketAddress>()) {
        peers.push_back({.network = *Network::parse(address.ip_text())});
    }
    if (peers.empty()) {
        return std::unexpected(
            fmt::format("host not found in {} \"{}\" (an address, ADDRESS/BITS, unix: or a host "
                        "name is wanted)",
                        entry.name(), text));
    }
    return peers;
}

}  // namespace postern::config
