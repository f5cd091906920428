#include "http/response_head.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace postern::http {

namespace {

bool is_name_character(char c)
{
    return is_alpha(c) || is_digit(c) || c == '-';
}

bool is_control(char c)
{
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
}

std::optional<Header> parse_header(std::string_view line)
{
    const auto colon = line.find(':');
    std::string_view name = line.substr(0, colon);
    const bool has_colon = colon != std::string_view::npos;
    std::string_view value = has_colon ? trim(line.substr(colon + 1)) : std::string_view();
    if (!has_colon) {
        name = trim(name);
    }
    if (name.empty() || name[0] == '-' || !std::ranges::all_of(name, is_name_character) ||
        std::ranges::any_of(value, is_control)) {
        return std::nullopt;
    }
    return Header{to_lower(name), std::string(value)};
}

// "HTTP/1.1 204 No Content"
void read_status_line(std::string_view line, ResponseHead& head)
{
    head.keeps_alive = line.starts_with("HTTP/1.1");
    const auto space = line.find(' ');
    const std::string_view code =
        space == std::string_view::npos ? std::string_view() : line.substr(space + 1, 3);
    if (code == "204" || code == "304") {
        head.body = Body::none;
    }
}

void read_framing(ResponseHead& head)
{
    for (const Header& header : head.headers) {
        if (header.name == "connection") {
            head.keeps_alive = iequals(header.value, "keep-alive") ||
                               (head.keeps_alive && !iequals(header.value, "close"));
        } else if (header.name == "content-length" && head.body == Body::until_close) {
            if (const auto bytes = parse_number<std::uint64_t>(header.value)) {
                head.body = Body::of_known_length;
                head.body_bytes = *bytes;
            }
        }
    }
    // Chunks are not worth reading for a body that nobody wants: such a connection is not used
    // again.
    const bool chunked = std::ranges::any_of(
        head.headers, [](const Header& header) { return header.name == "transfer-encoding"; });
    if (chunked) {
        head.body = Body::until_close;
    }
    if (head.body == Body::until_close) {
        head.keeps_alive = false;
    }
}

}  // namespace

std::expected<std::optional<ResponseHead>, InvalidHead> parse_response_head(std::string_view input)
{
    ResponseHead head;
    bool first = true;
    for (;;) {
        const auto end = input.find('\n', head.consumed);
        if (end == std::string_view::npos) {
            return std::nullopt;
        }
        std::string_view line = input.substr(head.consumed, end - head.consumed);
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        head.consumed = end + 1;
        if (first && line.starts_with("HTTP/")) {
            read_status_line(line, head);
        } else if (line.empty()) {
            read_framing(head);
            return head;
        } else if (auto header = parse_header(line)) {
            head.headers.push_back(std::move(*header));
        } else {
            return std::unexpected(InvalidHead{});
        }
        first = false;
    }
}

}  // namespace postern::http
