// Addresses as directives write them: "HOST[:PORT][/URI]", "[::1]:143", "unix:PATH". Errors are
// NGINX's, as are the places of the punctuation.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"

namespace postern::config {

struct Url {
    std::string host;                   // a name or an IP, [] kept; "*": all IPv4 addresses
    std::string unix_path;              // of "unix:", else empty
    std::optional<std::uint16_t> port;  // the first one of a range
    std::optional<std::uint16_t> last_port;
    std::string uri;  // from "/" or "?" on, or what follows the second ":" of "unix:"

    bool is_unix() const { return !unix_path.empty(); }
};

enum class UrlForm : unsigned char {
    server,   // HOST[:PORT]
    listen,   // also PORT alone, "*" and a range of ports
    service,  // HOST[:PORT][/URI]
};

// The error is NGINX's few words: "invalid port".
std::expected<Url, std::string> parse_url(std::string_view text, UrlForm form);

// All addresses that the host has, by the system's resolver, each once. None: no such host.
std::vector<SocketAddress> resolve(const Url& url, std::uint16_t port);

}  // namespace postern::config
