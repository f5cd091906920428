// The header of the PROXY protocol, in which a proxy in front of a server says who really calls
// (HAProxy's "The PROXY protocol", versions 1 and 2). A pure codec.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/address.h"
#include "tls/facts.h"

namespace postern::net {

struct ProxyHeader {
    // More than this is refused. NGINX: the same.
    static constexpr std::size_t kBytesMax = 4096;

    struct Addresses {
        SocketAddress source;  // who really calls
        SocketAddress destination;
        // As text, without ports. Of version 1: as it was sent.
        std::string source_ip;
        std::string destination_ip;
    };
    // Nothing: the proxy speaks for itself (a health check), or of addresses that are not TCP's.
    std::optional<Addresses> addresses;
    std::size_t bytes = 0;  // its length
};

struct ProxyHeaderIncomplete {
};  // so far
struct ProxyHeaderBroken {
    std::string why;  // NGINX's words, for the log
};
using ProxyHeaderResult = std::variant<ProxyHeader, ProxyHeaderIncomplete, ProxyHeaderBroken>;

// Reads the header that a connection begins with, of either version; what follows it is not looked
// at. Addresses have to be what they claim to be, and a checksum has to be right.
ProxyHeaderResult parse_proxy_header(std::string_view bytes);

// What `parse_proxy_header` says of a header that will never be whole.
ProxyHeaderBroken broken_proxy_header(std::string_view bytes);

// The header for a server behind us: `local` is where the client has come to. A client without an
// IP address is not described. If only one of the addresses is an IPv6 address, the other is
// mapped.
std::string proxy_header_v1(const SocketAddress& client, const SocketAddress& local);
// `tls` is what is known of the client's TLS, null if it is plain.
std::string proxy_header_v2(const SocketAddress& client, const SocketAddress& local,
                            const tls::Facts* tls);

}  // namespace postern::net
