#include "net/dns_message.h"

#include <ares.h>
#include <netdb.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

namespace postern::net {

namespace {

constexpr int kAddressesMax = 64;
constexpr std::size_t kHeaderBytes = 12;  // RFC 1035 section 4.1.1

using Answer = std::expected<DnsRecords, ResolveError>;

const unsigned char* bytes_of(std::string_view text)
{
    return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned number(std::string_view bytes)
{
    unsigned value = 0;
    for (const char byte : bytes) {
        value = value << 8 | static_cast<unsigned char>(byte);
    }
    return value;
}

std::chrono::seconds seconds_of(unsigned ttl)
{
    // RFC 2181 section 8: what has the highest bit set is 0.
    return std::chrono::seconds(ttl > 0x7fffffff ? 0 : ttl);
}

template <typename Address, typename Record>
DnsRecords addresses_of(const Record* records, int count, Address make)
{
    DnsRecords found;
    found.ttl = seconds_of(static_cast<unsigned>(records[0].ttl));
    for (int i = 0; i < count; ++i) {
        found.addresses.push_back(make(records[i]));
        found.ttl = std::min(found.ttl, seconds_of(static_cast<unsigned>(records[i].ttl)));
    }
    return found;
}

Answer read_a(std::string_view answer)
{
    std::array<ares_addrttl, kAddressesMax> records;
    int count = kAddressesMax;
    const int status = ares_parse_a_reply(bytes_of(answer), static_cast<int>(answer.size()),
                                          nullptr, records.data(), &count);
    if (status != ARES_SUCCESS || count <= 0) {
        return std::unexpected(dns_error(status == ARES_SUCCESS ? ARES_ENODATA : status));
    }
    return addresses_of(records.data(), count, [](const ares_addrttl& record) {
        const sockaddr_in address{
            .sin_family = AF_INET, .sin_port = 0, .sin_addr = record.ipaddr, .sin_zero = {}};
        return SocketAddress::from(reinterpret_cast<const sockaddr*>(&address), sizeof address);
    });
}

Answer read_aaaa(std::string_view answer)
{
    std::array<ares_addr6ttl, kAddressesMax> records;
    int count = kAddressesMax;
    const int status = ares_parse_aaaa_reply(bytes_of(answer), static_cast<int>(answer.size()),
                                             nullptr, records.data(), &count);
    if (status != ARES_SUCCESS || count <= 0) {
        return std::unexpected(dns_error(status == ARES_SUCCESS ? ARES_ENODATA : status));
    }
    return addresses_of(records.data(), count, [](const ares_addr6ttl& record) {
        sockaddr_in6 address{};
        address.sin6_family = AF_INET6;
        std::copy(std::begin(record.ip6addr._S6_un._S6_u8), std::end(record.ip6addr._S6_un._S6_u8),
                  address.sin6_addr.s6_addr);
        return SocketAddress::from(reinterpret_cast<const sockaddr*>(&address), sizeof address);
    });
}

// The name at `position`, which moves behind it; nothing if it is none.
std::expected<std::string, ResolveError> read_name(std::string_view message, std::size_t& position)
{
    char* text = nullptr;
    long size = 0;
    const int status = ares_expand_name(bytes_of(message) + position, bytes_of(message),
                                        static_cast<int>(message.size()), &text, &size);
    if (status != ARES_SUCCESS) {
        return std::unexpected(dns_error(ARES_EBADRESP));
    }
    std::string name(text);
    ares_free_string(text);
    position += static_cast<std::size_t>(size);
    return name;
}

// Not by ares_parse_ptr_reply, which says of a name that is none no more than "bad response".
Answer read_ptr(std::string_view answer)
{
    const auto bad = std::unexpected(dns_error(ARES_EBADRESP));
    if (answer.size() < kHeaderBytes) {
        return bad;
    }
    const unsigned questions = number(answer.substr(4, 2));
    const unsigned records = number(answer.substr(6, 2));
    std::size_t position = kHeaderBytes;
    for (unsigned i = 0; i < questions; ++i) {  // section 4.1.2
        if (!read_name(answer, position) || answer.size() < position + 4) {
            return bad;
        }
        position += 4;
    }
    for (unsigned i = 0; i < records; ++i) {  // section 4.1.3
        constexpr std::size_t kFixedBytes = 10;
        if (!read_name(answer, position) || answer.size() < position + kFixedBytes) {
            return bad;
        }
        const std::string_view fixed = answer.substr(position, kFixedBytes);
        const std::size_t size = number(fixed.substr(8, 2));
        position += kFixedBytes;
        if (answer.size() < position + size) {
            return bad;
        }
        if (number(fixed.substr(0, 2)) == static_cast<unsigned>(DnsType::ptr)) {
            auto name = read_name(answer, position);
            if (!name) {
                return bad;
            }
            return DnsRecords{.addresses = {},
                              .name = std::move(*name),
                              .ttl = seconds_of(number(fixed.substr(4, 4)))};
        }
        position += size;  // a CNAME, as RFC 2317 has them on the way
    }
    return std::unexpected(dns_error(ARES_ENODATA));
}

}  // namespace

std::string ResolveError::text() const
{
    const auto words = [this] {
        switch (code) {
        case 1:
            return "Format error";
        case 2:
            return "Server failure";
        case 3:
            return "Host not found";
        case 4:
            return "Unimplemented";
        case 5:
            return "Operation refused";
        case ECONNREFUSED:
            return "Connection refused";
        case ETIMEDOUT:
            return "Operation timed out";
        case ENOMEM:
            return "Cannot allocate memory";
        default:
            return "Unknown error";
        }
    };
    return std::to_string(code) + ": " + words();
}

ResolveError dns_error(int status)
{
    switch (status) {
    case ARES_ESERVFAIL:
        return {.code = 2};
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
    case ARES_EBADNAME:
        return {.code = 3, .not_found = true};
    case ARES_ENOTIMP:
        return {.code = 4};
    case ARES_EREFUSED:
        return {.code = 5};
    case ARES_ETIMEOUT:
        return {.code = ETIMEDOUT};
    case ARES_ECONNREFUSED:  // by the host of the DNS server
        return {.code = ECONNREFUSED};
    default:
        return {.code = 1};  // the answer was none
    }
}

Answer read_dns_answer(DnsType type, int status, std::string_view answer)
{
    if (status != ARES_SUCCESS) {
        return std::unexpected(dns_error(status));
    }
    switch (type) {
    case DnsType::a:
        return read_a(answer);
    case DnsType::aaaa:
        return read_aaaa(answer);
    case DnsType::ptr:
        return read_ptr(answer);
    }
    std::unreachable();
}

std::string reverse_name(const SocketAddress& address)
{
    std::string name;
    if (address.family() == AF_INET) {
        const auto* bytes = reinterpret_cast<const unsigned char*>(&address.ipv4().sin_addr);
        for (int i = 3; i >= 0; --i) {
            name += std::to_string(bytes[i]) + ".";
        }
        return name + "in-addr.arpa";
    }
    const unsigned char* bytes = address.ipv6().sin6_addr.s6_addr;
    for (int i = 15; i >= 0; --i) {
        constexpr char kHex[] = "0123456789abcdef";
        name += {kHex[bytes[i] & 15], '.', kHex[bytes[i] >> 4], '.'};
    }
    return name + "ip6.arpa";
}

}  // namespace postern::net
