// What DNS servers answer (RFC 1035 section 4). Pure: bytes in, values out.
#pragma once

#include <chrono>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"

namespace postern::net {

enum class DnsType : unsigned char { a = 1, ptr = 12, aaaa = 28 };

// Why a name could not be resolved.
struct ResolveError {
    int code = 0;            // as NGINX numbers them: 1 to 5 as in DNS, else an errno value
    bool not_found = false;  // there is no such name, or it has no such record

    std::string text() const;  // "3: Host not found"
};

// What we want of an answer.
struct DnsRecords {
    std::vector<SocketAddress> addresses;  // of A and AAAA: at least one, without a port
    std::string name;  // of PTR: the first; bytes that no host name has are escaped by a backslash
    std::chrono::seconds ttl{};  // the shortest
};

// `status`: of c-ares.
ResolveError dns_error(int status);
std::expected<DnsRecords, ResolveError> read_dns_answer(DnsType type, int status,
                                                        std::string_view answer);

// The name whose PTR record is wanted: "1.0.0.127.in-addr.arpa" (RFC 1035 section 3.5), or nibbles
// below "ip6.arpa" (RFC 3596 section 2.5).
std::string reverse_name(const SocketAddress& address);

}  // namespace postern::net
