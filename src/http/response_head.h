#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::http {

// The most that a status line and header fields may take.
inline constexpr std::size_t kMaxHeadBytes = 64 * 1024;

struct Header {
    std::string name;  // in lower case
    std::string value;
};

// How the end of a body is known (RFC 9112 section 6.3).
enum class Body : unsigned char { none, of_known_length, until_close };

struct ResponseHead {
    std::vector<Header> headers;  // in the order in which they came
    Body body = Body::until_close;
    std::uint64_t body_bytes = 0;  // of_known_length
    bool keeps_alive = false;      // the connection may serve another request after the body
    std::size_t consumed = 0;      // bytes of the head, with its empty line
};

struct InvalidHead {
};

// Reads the head of an answer from an authentication service, as leniently as NGINX, which services
// are written for: no HTTP library takes these. The status line may be missing, and its code counts
// for nothing but the body's length; lines end in LF or CRLF; spaces around a value go, tabs stay;
// a line without a colon is a header without a value. But a control character in a value is an
// error: values go into replies and commands.
//
// Nothing: the head isn't complete. Reading again with more input starts over.
std::expected<std::optional<ResponseHead>, InvalidHead> parse_response_head(std::string_view input);

}  // namespace postern::http
