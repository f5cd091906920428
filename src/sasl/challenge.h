#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace postern::sasl {

// "<RANDOM.TIME@SERVER_NAME>": the timestamp of POP3's greeting (RFC 1939 section 7) and what
// CRAM-MD5 sends (RFC 2195 section 2). The time is in seconds since 1970.
std::string format_challenge(std::uint32_t random, std::chrono::sys_seconds now,
                             std::string_view server_name);

// One that nobody can foretell: 31 bits from the system's random numbers, and the time.
std::string make_challenge(std::string_view server_name);

}  // namespace postern::sasl
