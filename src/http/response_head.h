// The head of an HTTP response, read as NGINX's auth_http reads it, so that a service that works
// there works here. That is why it is ours and no library's: they all insist on a status line and
// on CRLF, and NGINX on neither.
//  - A first line that starts with "HTTP/" is the status line; without one the headers come at
//  once.
//  - Lines end in LF or CRLF, and the head at the first empty one. Lines are never folded.
//  - A name has letters, digits and "-", and starts with none of the last. Anything else is an
//  error.
//  - Spaces around a value are dropped, TABs are kept. A line without ":" is a header with no
//  value.
// Differs from NGINX: a NUL in a value is an error too (RFC 9110 section 5.5), as values go to
// places where it would end the line.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>
#include <vector>

namespace postern::http {

// NGINX stops at 1024 bytes, and silently.
inline constexpr std::size_t kMaxHeadBytes = 64 * 1024;

struct Header {
    std::string_view name;
    std::string_view value;
};

// What says where the body ends, RFC 9112 section 6.3.
enum class BodyEnd : unsigned char { none, length, chunked, close };

// Looks into the text that it was read from.
struct ResponseHead {
    unsigned status = 0;  // 0: no status line, or one without a code of three digits
    std::vector<Header> headers;
    std::size_t consumed = 0;  // with the empty line

    BodyEnd body_end = BodyEnd::close;
    std::uint64_t content_length = 0;  // for BodyEnd::length
    // After this response the connection can carry another: HTTP/1.1, not "Connection: close", and
    // a body whose end can be seen.
    bool keep_alive = false;

    // 1xx, except for the one that leaves HTTP (RFC 9110 section 15.2): the real head follows.
    bool is_informational() const { return status >= 100 && status < 200 && status != 101; }
};

enum class HeadError : unsigned char { invalid, too_long };

// `input`: all that has been received. Nothing yet: more is needed.
std::expected<std::optional<ResponseHead>, HeadError> parse_response_head(std::string_view input);

}  // namespace postern::http
