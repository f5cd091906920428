#include "http/response_body.h"

#include <charconv>
#include <cstdint>
#include <utility>

#include "base/line.h"

namespace postern::http {

namespace {

constexpr std::size_t kMaxSizeDigits = 8;

// The hexadecimal size in front of a chunk; ";" starts an extension, which nobody uses.
std::optional<std::size_t> parse_chunk_size(std::string_view line)
{
    const std::string_view digits = line.substr(0, line.find_first_of("; \t"));
    std::uint32_t size = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), size, 16);
    if (digits.empty() || digits.size() > kMaxSizeDigits || error != std::errc{} ||
        end != digits.data() + digits.size()) {
        return std::nullopt;
    }
    return size;
}

using Size = std::expected<std::optional<std::size_t>, BadBody>;

// RFC 9112 section 7.1, trailers included.
Size chunked_body_size(std::string_view input)
{
    std::size_t at = 0;
    for (;;) {
        const auto line = next_crlf_line(input.substr(at));
        if (!line) {
            return std::nullopt;
        }
        const auto size = parse_chunk_size(line->text);
        if (!size) {
            return std::unexpected(BadBody{});
        }
        at += line->consumed;
        if (*size == 0) {
            break;
        }
        if (input.size() - at < *size + 2) {
            return std::nullopt;
        }
        at += *size;
        if (input.substr(at, 2) != "\r\n") {
            return std::unexpected(BadBody{});
        }
        at += 2;
    }
    for (;;) {  // trailers, up to an empty line
        const auto line = next_crlf_line(input.substr(at));
        if (!line) {
            return std::nullopt;
        }
        at += line->consumed;
        if (line->text.empty()) {
            return at;
        }
    }
}

}  // namespace

Size body_size(const ResponseHead& head, std::string_view input)
{
    switch (head.body_end) {
    case BodyEnd::none:
        return 0;
    case BodyEnd::length:
        if (input.size() < head.content_length) {
            return std::nullopt;
        }
        return static_cast<std::size_t>(head.content_length);
    case BodyEnd::chunked:
        return chunked_body_size(input);
    case BodyEnd::close:
        return std::nullopt;
    }
    std::unreachable();
}

}  // namespace postern::http
