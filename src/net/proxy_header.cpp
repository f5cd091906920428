#include "net/proxy_header.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "base/crc32c.h"
#include "base/text.h"

namespace postern::net {

namespace {

constexpr std::string_view kFirstWord = "PROXY ";
constexpr std::size_t kLineMax = 107;  // of version 1, with CRLF

constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kFixedBytes = 16;  // of version 2: signature, command, family, length
constexpr unsigned char kVersion2 = 0x20;
constexpr unsigned char kLocal = 0;
constexpr unsigned char kProxy = 1;
constexpr unsigned char kTcp4 = 0x11;
constexpr unsigned char kTcp6 = 0x21;
constexpr std::size_t kTcp4Bytes = 12;
constexpr std::size_t kTcp6Bytes = 36;
constexpr std::size_t kTlvHeadBytes = 3;

// Types of what may follow the addresses.
constexpr unsigned char kTypeAlpn = 0x01;
constexpr unsigned char kTypeAuthority = 0x02;
constexpr unsigned char kTypeCrc32c = 0x03;
constexpr unsigned char kTypeSsl = 0x20;
constexpr unsigned char kTypeSslVersion = 0x21;
constexpr unsigned char kTypeSslCommonName = 0x22;
constexpr unsigned char kTypeSslCipher = 0x23;
constexpr unsigned char kTypeSslSignature = 0x24;
constexpr unsigned char kTypeSslKey = 0x25;
// Bits of kTypeSsl's first byte.
constexpr unsigned char kClientSsl = 0x01;
constexpr unsigned char kClientCertificateNow = 0x02;
constexpr unsigned char kClientCertificateInSession = 0x04;

unsigned char byte_at(std::string_view bytes, std::size_t index)
{
    return static_cast<unsigned char>(bytes[index]);
}

std::size_t two_bytes_at(std::string_view bytes, std::size_t index)
{
    return static_cast<std::size_t>(byte_at(bytes, index)) << 8 | byte_at(bytes, index + 1);
}

bool agrees(std::string_view bytes, std::string_view start)
{
    return bytes.substr(0, start.size()) == start.substr(0, bytes.size());
}

// The next word of a line, which one space follows.
std::string_view next_word(std::string_view& line)
{
    const std::size_t space = std::min(line.find(' '), line.size());
    const std::string_view word = line.substr(0, space);
    line.remove_prefix(std::min(space + 1, line.size()));
    return word;
}

std::optional<SocketAddress> read_address(std::string_view text, std::string_view port,
                                          sa_family_t family)
{
    const auto number = parse_number<std::uint16_t>(port);
    const auto address = number ? SocketAddress::parse_ip(text, *number) : std::nullopt;
    return address && address->family() == family ? address : std::nullopt;
}

ProxyHeaderResult parse_v1(std::string_view bytes)
{
    const std::size_t end = bytes.substr(0, kLineMax).find('\n');
    if (end == std::string_view::npos) {
        return bytes.size() < kLineMax ? ProxyHeaderResult(ProxyHeaderIncomplete{})
                                       : broken_proxy_header(bytes);
    }
    const std::string_view whole = bytes.substr(0, end + 1);
    if (!whole.ends_with("\r\n")) {
        return broken_proxy_header(whole);
    }
    std::string_view line = whole.substr(kFirstWord.size(), end - 1 - kFirstWord.size());
    ProxyHeader header{.bytes = whole.size()};
    const std::string_view family = next_word(line);
    if (family == "UNKNOWN") {
        return header;  // and what follows is to be ignored
    }
    if (family != "TCP4" && family != "TCP6") {
        return broken_proxy_header(whole);
    }
    const sa_family_t wanted = family == "TCP4" ? AF_INET : AF_INET6;
    const std::string_view source_ip = next_word(line);
    const std::string_view destination_ip = next_word(line);
    const std::string_view source_port = next_word(line);
    const auto source = read_address(source_ip, source_port, wanted);
    const auto destination = read_address(destination_ip, line, wanted);
    if (!source || !destination) {
        return broken_proxy_header(whole);
    }
    header.addresses = {*source, *destination, std::string(source_ip), std::string(destination_ip)};
    return header;
}

// What comes behind the addresses: read for its checksum alone, which covers the whole header with
// zeros in its own place. True: it is well-formed, and right.
bool check_types(std::string_view header, std::size_t at)
{
    while (at < header.size()) {
        if (header.size() - at < kTlvHeadBytes) {
            return false;
        }
        const std::size_t length = two_bytes_at(header, at + 1);
        const unsigned char type = byte_at(header, at);
        at += kTlvHeadBytes;
        if (header.size() - at < length) {
            return false;
        }
        if (type == kTypeCrc32c) {
            constexpr std::string_view kZeros("\0\0\0\0", 4);
            if (length != kZeros.size()) {
                return false;
            }
            std::uint32_t sum = crc32c(header.substr(0, at));
            sum = crc32c(header.substr(at + length), crc32c(kZeros, sum));
            const auto sent = static_cast<std::uint32_t>(two_bytes_at(header, at) << 16 |
                                                         two_bytes_at(header, at + 2));
            if (sum != sent) {
                return false;
            }
        }
        at += length;
    }
    return true;
}

template <typename Sockaddr>
SocketAddress make_address(const Sockaddr& address)
{
    return SocketAddress::from(reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

SocketAddress read_ipv4(std::string_view ip, std::string_view port)
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    std::memcpy(&address.sin_addr, ip.data(), sizeof address.sin_addr);
    std::memcpy(&address.sin_port, port.data(), sizeof address.sin_port);
    return make_address(address);
}

SocketAddress read_ipv6(std::string_view ip, std::string_view port)
{
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    std::memcpy(&address.sin6_addr, ip.data(), sizeof address.sin6_addr);
    std::memcpy(&address.sin6_port, port.data(), sizeof address.sin6_port);
    return make_address(address);
}

ProxyHeader::Addresses read_addresses(std::string_view block, bool ipv6)
{
    const std::size_t size = ipv6 ? sizeof(in6_addr) : sizeof(in_addr);
    const auto read = ipv6 ? read_ipv6 : read_ipv4;
    const SocketAddress source = read(block, block.substr(2 * size));
    const SocketAddress destination = read(block.substr(size), block.substr(2 * size + 2));
    return {source, destination, source.ip_text(), destination.ip_text()};
}

ProxyHeaderResult parse_v2(std::string_view bytes)
{
    if (bytes.size() > kSignature.size()) {
        const unsigned version = byte_at(bytes, kSignature.size()) >> 4;
        if (version != kVersion2 >> 4) {
            return ProxyHeaderBroken{fmt::format("unknown PROXY protocol version: {}", version)};
        }
    }
    if (bytes.size() < kFixedBytes) {
        return ProxyHeaderIncomplete{};
    }
    const std::size_t size = kFixedBytes + two_bytes_at(bytes, kFixedBytes - 2);
    if (size > ProxyHeader::kBytesMax) {
        return ProxyHeaderBroken{"header is too large"};
    }
    if (bytes.size() < size) {
        return ProxyHeaderIncomplete{};
    }
    const std::string_view whole = bytes.substr(0, size);
    ProxyHeader header{.bytes = size};
    const unsigned command = byte_at(bytes, kSignature.size()) & 0x0f;
    const unsigned family = byte_at(bytes, kSignature.size() + 1);
    // NGINX: whatever is not of TCP is passed over, as the protocol wants it of kLocal.
    if (command != kProxy || (family != kTcp4 && family != kTcp6)) {
        return header;
    }
    const std::size_t block = family == kTcp6 ? kTcp6Bytes : kTcp4Bytes;
    if (size < kFixedBytes + block || !check_types(whole, kFixedBytes + block)) {
        return ProxyHeaderBroken{"invalid PROXY protocol version 2 header"};
    }
    header.addresses = read_addresses(whole.substr(kFixedBytes), family == kTcp6);
    return header;
}

// Both of one family.
struct Pair {
    SocketAddress client;
    SocketAddress local;
};

SocketAddress mapped(const SocketAddress& address)
{
    if (address.family() != AF_INET) {
        return address;
    }
    sockaddr_in6 result{};
    result.sin6_family = AF_INET6;
    result.sin6_port = address.ipv4().sin_port;
    result.sin6_addr.s6_addr[10] = result.sin6_addr.s6_addr[11] = 0xff;
    std::memcpy(&result.sin6_addr.s6_addr[12], &address.ipv4().sin_addr, sizeof(in_addr));
    return make_address(result);
}

SocketAddress unmapped(const SocketAddress& address)
{
    sockaddr_in result{};
    result.sin_family = AF_INET;
    result.sin_port = address.ipv6().sin6_port;
    std::memcpy(&result.sin_addr, &address.ipv6().sin6_addr.s6_addr[12], sizeof(in_addr));
    return make_address(result);
}

bool is_mapped(const SocketAddress& address)
{
    return address.family() == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&address.ipv6().sin6_addr);
}

std::optional<Pair> pair_of(const SocketAddress& client, const SocketAddress& local)
{
    if (!client.is_ip() || !local.is_ip()) {
        return std::nullopt;
    }
    if (is_mapped(client) && is_mapped(local)) {
        return Pair{unmapped(client), unmapped(local)};
    }
    if (client.family() == local.family()) {
        return Pair{client, local};
    }
    return Pair{mapped(client), mapped(local)};
}

void append_number(std::string& out, std::uint32_t number, int bytes)
{
    while (bytes-- > 0) {
        out += static_cast<char>(number >> (8 * bytes) & 0xff);
    }
}

// What is empty is left out; what is too long for the header is cut: names end at 255 bytes
// anyway.
void append_type(std::string& out, unsigned char type, std::string_view value)
{
    constexpr std::size_t kValueMax = 1024;
    if (value.empty()) {
        return;
    }
    value = value.substr(0, kValueMax);
    out += static_cast<char>(type);
    append_number(out, static_cast<std::uint32_t>(value.size()), 2);
    out += value;
}

std::string ssl_value(const tls::Facts& tls)
{
    std::string value;
    value +=
        static_cast<char>(kClientSsl | (tls.certificate_in_connection ? kClientCertificateNow : 0) |
                          (tls.certificate_in_session ? kClientCertificateInSession : 0));
    append_number(value, tls.verify, 4);
    append_type(value, kTypeSslVersion, tls.version);
    append_type(value, kTypeSslCommonName, tls.common_name.substr(0, 255));
    append_type(value, kTypeSslCipher, tls.cipher);
    append_type(value, kTypeSslSignature, tls.signature_algorithm);
    append_type(value, kTypeSslKey, tls.key_algorithm);
    return value;
}

void append_addresses(std::string& out, const Pair& pair)
{
    for (const SocketAddress* address : {&pair.client, &pair.local}) {
        const void* const ip = address->family() == AF_INET6
                                   ? static_cast<const void*>(&address->ipv6().sin6_addr)
                                   : static_cast<const void*>(&address->ipv4().sin_addr);
        out.append(static_cast<const char*>(ip),
                   address->family() == AF_INET6 ? sizeof(in6_addr) : sizeof(in_addr));
    }
    append_number(out, pair.client.port(), 2);
    append_number(out, pair.local.port(), 2);
}

}  // namespace

ProxyHeaderResult parse_proxy_header(std::string_view bytes)
{
    if (agrees(bytes, kFirstWord)) {
        return bytes.size() <= kFirstWord.size() ? ProxyHeaderResult(ProxyHeaderIncomplete{})
                                                 : parse_v1(bytes);
    }
    if (agrees(bytes, kSignature)) {
        return parse_v2(bytes);
    }
    return broken_proxy_header(bytes);
}

ProxyHeaderBroken broken_proxy_header(std::string_view bytes)
{
    const std::string_view line = bytes.substr(0, std::min(bytes.find_first_of("\r\n"), kLineMax));
    return {fmt::format("broken header: \"{}\"", escape_for_log(line))};
}

std::string proxy_header_v1(const SocketAddress& client, const SocketAddress& local)
{
    const auto pair = pair_of(client, local);
    if (!pair) {
        return "PROXY UNKNOWN\r\n";
    }
    return fmt::format("PROXY {} {} {} {} {}\r\n",
                       pair->client.family() == AF_INET6 ? "TCP6" : "TCP4", pair->client.ip_text(),
                       pair->local.ip_text(), pair->client.port(), pair->local.port());
}

std::string proxy_header_v2(const SocketAddress& client, const SocketAddress& local,
                            const tls::Facts* tls)
{
    const auto pair = pair_of(client, local);
    std::string types;
    if (pair) {
        append_addresses(types, *pair);
    }
    if (tls != nullptr) {
        append_type(types, kTypeAuthority, tls->server_name);
        append_type(types, kTypeAlpn, tls->alpn);
        append_type(types, kTypeSsl, ssl_value(*tls));
    }
    constexpr std::size_t kSumBytes = 4;
    append_type(types, kTypeCrc32c, std::string_view("\0\0\0\0", kSumBytes));
    std::string header(kSignature);
    header += static_cast<char>(kVersion2 | (pair ? kProxy : kLocal));
    header += static_cast<char>(!pair ? 0 : pair->client.family() == AF_INET6 ? kTcp6 : kTcp4);
    append_number(header, static_cast<std::uint32_t>(types.size()), 2);
    header += types;
    const std::uint32_t sum = crc32c(header);
    header.resize(header.size() - kSumBytes);
    append_number(header, sum, kSumBytes);
    return header;
}

}  // namespace postern::net
