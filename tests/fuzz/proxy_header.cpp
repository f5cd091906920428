#include "net/proxy_header.h"

#include <string>
#include <tuple>

#include "targets.h"
#include "tls/facts.h"

namespace postern::fuzz {

void proxy_header(std::string_view input)
{
    const net::ProxyHeaderResult result = net::parse_proxy_header(input);
    std::ignore = net::broken_proxy_header(input);
    if (const auto* broken = std::get_if<net::ProxyHeaderBroken>(&result)) {
        require(broken->why.find('\n') == std::string::npos, "why it is broken is one line");
        return;
    }
    const auto* header = std::get_if<net::ProxyHeader>(&result);
    if (header == nullptr) {
        require(input.size() < net::ProxyHeader::kBytesMax, "what is too long is broken");
        return;
    }
    require(header->bytes <= input.size() && header->bytes <= net::ProxyHeader::kBytesMax,
            "a header has its size");
    for (std::size_t cut = 0; cut < header->bytes; ++cut) {
        const auto part = net::parse_proxy_header(input.substr(0, cut));
        require(std::holds_alternative<net::ProxyHeaderIncomplete>(part),
                "a header is not complete before its end");
    }
    if (!header->addresses) {
        return;
    }
    // What we say of these addresses is understood as them, whatever TLS says beside them.
    const auto& addresses = *header->addresses;
    const std::string name(input.substr(header->bytes).substr(0, 255));  // TLS allows no more
    const tls::Facts facts{.server_name = name, .alpn = "imap", .common_name = name};
    for (const std::string& ours :
         {net::proxy_header_v1(addresses.source, addresses.destination),
          net::proxy_header_v2(addresses.source, addresses.destination, nullptr),
          net::proxy_header_v2(addresses.source, addresses.destination, &facts)}) {
        const auto again = net::parse_proxy_header(ours + "rest");
        const auto* read = std::get_if<net::ProxyHeader>(&again);
        require(read != nullptr && read->bytes == ours.size() && read->addresses,
                "our header is a header");
        // IPv4 in IPv6 may become IPv4, so it is the last bytes that stay.
        const auto ends_as = [](std::string_view one, std::string_view other) {
            return one.ends_with(other) || other.ends_with(one);
        };
        require(ends_as(read->addresses->source_ip, addresses.source.ip_text()) &&
                    read->addresses->source.port() == addresses.source.port() &&
                    ends_as(read->addresses->destination_ip, addresses.destination.ip_text()),
                "and of the same addresses");
    }
    // Only one of both may be of IPv6: the other is mapped.
    const SocketAddress other = SocketAddress::parse_ip("192.0.2.1", 143).value();
    const std::string mixed = net::proxy_header_v1(addresses.source, other);
    const auto again = net::parse_proxy_header(mixed);
    require(std::holds_alternative<net::ProxyHeader>(again), "mixed addresses make a header");
}

}  // namespace postern::fuzz
