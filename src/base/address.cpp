#include "base/address.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstddef>
#include <cstring>

namespace postern {

namespace {

// "192.0.2.1". inet_ntop(3) makes the same with sprintf(3), at twenty times the cost.
std::string ipv4_text(const in_addr& address)
{
    const auto* const bytes = reinterpret_cast<const unsigned char*>(&address.s_addr);
    char text[INET_ADDRSTRLEN];
    char* end = text;
    for (int i = 0; i < 4; ++i) {
        if (i > 0) {
            *end++ = '.';
        }
        end = std::to_chars(end, text + sizeof text, bytes[i]).ptr;
    }
    return {text, end};
}

}  // namespace

SocketAddress SocketAddress::from(const sockaddr* address, socklen_t size)
{
    SocketAddress result;
    result.size_ = size < sizeof result.storage_ ? size : sizeof result.storage_;
    std::memcpy(&result.storage_, address, result.size_);
    return result;
}

SocketAddress SocketAddress::unix_path(std::string_view path)
{
    SocketAddress result;
    auto& local = result.storage_.local;
    local.sun_family = AF_UNIX;
    const std::size_t length = std::min(path.size(), sizeof local.sun_path - 1);
    std::memcpy(local.sun_path, path.data(), length);
    result.size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length + 1);
    return result;
}

SocketAddress SocketAddress::any_ipv4(std::uint16_t port)
{
    SocketAddress result;
    result.storage_.ipv4.sin_family = AF_INET;
    result.storage_.ipv4.sin_port = htons(port);
    result.size_ = sizeof(sockaddr_in);
    return result;
}

std::optional<SocketAddress> SocketAddress::parse_ip(std::string_view text, std::uint16_t port)
{
    const std::string copy(text);  // inet_pton wants a terminated string
    if (copy.find('\0') != std::string::npos) {
        return std::nullopt;
    }
    SocketAddress result;
    if (inet_pton(AF_INET, copy.c_str(), &result.storage_.ipv4.sin_addr) == 1) {
        result.storage_.ipv4.sin_family = AF_INET;
        result.size_ = sizeof(sockaddr_in);
    } else if (inet_pton(AF_INET6, copy.c_str(), &result.storage_.ipv6.sin6_addr) == 1) {
        result.storage_.ipv6.sin6_family = AF_INET6;
        result.size_ = sizeof(sockaddr_in6);
    } else {
        return std::nullopt;
    }
    result.set_port(port);
    return result;
}

std::uint16_t SocketAddress::port() const
{
    switch (family()) {
    case AF_INET:
        return ntohs(storage_.ipv4.sin_port);
    case AF_INET6:
        return ntohs(storage_.ipv6.sin6_port);
    default:
        return 0;
    }
}

void SocketAddress::set_port(std::uint16_t port)
{
    if (family() == AF_INET) {
        storage_.ipv4.sin_port = htons(port);
    } else if (family() == AF_INET6) {
        storage_.ipv6.sin6_port = htons(port);
    }
}

std::string_view SocketAddress::path() const
{
    if (!is_unix() || size_ <= offsetof(sockaddr_un, sun_path)) {
        return "";
    }
    // The kernel may fill it to the last byte.
    const char* path = storage_.local.sun_path;
    return {path, ::strnlen(path, sizeof storage_.local.sun_path)};
}

bool SocketAddress::is_wildcard() const
{
    return (family() == AF_INET && storage_.ipv4.sin_addr.s_addr == INADDR_ANY) ||
           (family() == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&storage_.ipv6.sin6_addr));
}

std::string SocketAddress::ip_text() const
{
    char buffer[INET6_ADDRSTRLEN];
    switch (family()) {
    case AF_INET:
        return ipv4_text(storage_.ipv4.sin_addr);
    case AF_INET6:
        return inet_ntop(AF_INET6, &storage_.ipv6.sin6_addr, buffer, sizeof buffer);
    case AF_UNIX:
        return "unix:";
    default:
        return "";
    }
}

std::string SocketAddress::text() const
{
    switch (family()) {
    case AF_INET:
        return ip_text() + ":" + std::to_string(port());
    case AF_INET6:
        return "[" + ip_text() + "]:" + std::to_string(port());
    case AF_UNIX:
        return "unix:" + std::string(path());
    default:
        return "";
    }
}

bool SocketAddress::operator==(const SocketAddress& other) const
{
    if (family() != other.family()) {
        return false;
    }
    switch (family()) {
    case AF_INET:
        return port() == other.port() &&
               storage_.ipv4.sin_addr.s_addr == other.storage_.ipv4.sin_addr.s_addr;
    case AF_INET6:
        return port() == other.port() &&
               std::memcmp(&storage_.ipv6.sin6_addr, &other.storage_.ipv6.sin6_addr, 16) == 0;
    case AF_UNIX:
        return path() == other.path();
    default:
        return true;
    }
}

std::optional<Network> Network::parse(std::string_view text, bool* host_bits_set)
{
    const auto slash = text.find('/');
    const auto address = SocketAddress::parse_ip(text.substr(0, slash), 0);
    if (!address) {
        return std::nullopt;
    }
    Network network;
    network.ipv6_ = address->family() == AF_INET6;
    const unsigned bits = network.ipv6_ ? 128 : 32;
    unsigned prefix = bits;
    if (slash != std::string_view::npos) {
        const std::string_view digits = text.substr(slash + 1);
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
        if (error != std::errc{} || end != digits.data() + digits.size() || prefix > bits) {
            return std::nullopt;
        }
    }
    network.prefix_bits_ = static_cast<unsigned char>(prefix);
    const void* source = network.ipv6_ ? static_cast<const void*>(&address->ipv6().sin6_addr)
                                       : static_cast<const void*>(&address->ipv4().sin_addr);
    std::memcpy(network.bytes_, source, bits / 8);
    bool beyond = false;
    for (unsigned bit = prefix; bit < bits; ++bit) {
        const auto mask = static_cast<unsigned char>(0x80 >> (bit % 8));
        beyond |= (network.bytes_[bit / 8] & mask) != 0;
        network.bytes_[bit / 8] &= static_cast<unsigned char>(~mask);
    }
    if (host_bits_set != nullptr) {
        *host_bits_set = beyond;
    }
    return network;
}

bool Network::contains(const SocketAddress& address) const
{
    const unsigned char* bytes = nullptr;
    if (address.family() == AF_INET && !ipv6_) {
        bytes = reinterpret_cast<const unsigned char*>(&address.ipv4().sin_addr);
    } else if (address.family() == AF_INET6) {
        bytes = address.ipv6().sin6_addr.s6_addr;
        const bool mapped = IN6_IS_ADDR_V4MAPPED(&address.ipv6().sin6_addr);
        if (!ipv6_) {
            if (!mapped) {
                return false;
            }
            bytes += 12;
        }
    } else {
        return false;
    }
    for (unsigned bit = 0; bit < prefix_bits_; bit += 8) {
        const unsigned left = prefix_bits_ - bit;
        const unsigned mask = left >= 8 ? 0xff : (0xff << (8 - left)) & 0xff;
        if ((bytes[bit / 8] & mask) != bytes_[bit / 8]) {
            return false;
        }
    }
    return true;
}

}  // namespace postern
