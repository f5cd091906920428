#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postern {

// An IPv4, IPv6 or UNIX socket address. No names here: net/resolver turns those into addresses.
class SocketAddress
{
public:
    SocketAddress() = default;  // empty: family AF_UNSPEC
    static SocketAddress from(const sockaddr* address, socklen_t size);
    static SocketAddress unix_path(std::string_view path);  // at most 107 bytes
    static SocketAddress any_ipv4(std::uint16_t port);
    // "127.0.0.1", "::1" (no brackets, no zone).
    static std::optional<SocketAddress> parse_ip(std::string_view text, std::uint16_t port);

    sa_family_t family() const { return storage_.any.sa_family; }
    bool is_ip() const { return family() == AF_INET || family() == AF_INET6; }
    bool is_unix() const { return family() == AF_UNIX; }
    const sockaddr* data() const { return &storage_.any; }
    socklen_t size() const { return size_; }
    std::uint16_t port() const;  // 0 for UNIX sockets
    void set_port(std::uint16_t port);
    std::string_view path() const;  // UNIX sockets
    const sockaddr_in& ipv4() const { return storage_.ipv4; }
    const sockaddr_in6& ipv6() const { return storage_.ipv6; }
    bool is_wildcard() const;  // 0.0.0.0 or ::

    // "127.0.0.1" or "::1"; "unix:" for any UNIX client, as NGINX logs it.
    std::string ip_text() const;
    // "127.0.0.1:143", "[::1]:143" or "unix:/path".
    std::string text() const;

    bool operator==(const SocketAddress& other) const;

private:
    union {
        sockaddr_un local;  // the largest one first: only that is cleared by = {}
        sockaddr any;
        sockaddr_in ipv4;
        sockaddr_in6 ipv6;
    } storage_ = {};
    socklen_t size_ = 0;
};

// A network in CIDR notation.
class Network
{
public:
    // "10.0.0.0/8", "2001:db8::/32" or a lone address. Nothing if it is neither.
    // `host_bits_set` becomes true if the address has bits beyond the prefix (they are ignored).
    static std::optional<Network> parse(std::string_view text, bool* host_bits_set = nullptr);

    // IPv4-mapped IPv6 addresses match IPv4 networks.
    bool contains(const SocketAddress& address) const;

private:
    unsigned char bytes_[16] = {};
    unsigned char prefix_bits_ = 0;
    bool ipv6_ = false;
};

}  // namespace postern
