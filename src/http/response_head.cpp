#include "http/response_head.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"

namespace postern::http {

namespace {

constexpr std::string_view kHttp = "HTTP/";
constexpr std::size_t kUsualHeaders = 8;

struct StatusLine {
    bool http_1_1 = false;  // or a later 1.x
    unsigned status = 0;
};

// What follows "HTTP/". It is never an error: NGINX does not look at it.
StatusLine parse_status_line(std::string_view text)
{
    StatusLine line;
    line.http_1_1 = text.size() > 3 && text.starts_with("1.") && text[2] >= '1' && text[2] <= '9' &&
                    text[3] == ' ';
    const std::size_t space = text.find(' ');
    if (space != std::string_view::npos) {
        const std::string_view rest = text.substr(space + 1);
        const std::string_view code = rest.substr(0, rest.find(' '));
        if (code.size() == 3) {
            line.status = parse_number<unsigned>(code).value_or(0);
        }
    }
    return line;
}

constexpr auto kNameBytes = [] {
    std::array<bool, 256> table{};
    for (int byte = 0; byte < 256; ++byte) {
        const char c = static_cast<char>(byte);
        table[static_cast<std::size_t>(byte)] = is_alpha(c) || is_digit(c) || c == '-';
    }
    return table;
}();

constexpr bool is_name_byte(char c)
{
    return kNameBytes[static_cast<unsigned char>(c)];
}

enum class LineKind : unsigned char { header, end, invalid };

LineKind parse_line(std::string_view line, Header& header)
{
    if (line.empty()) {
        return LineKind::end;
    }
    const std::size_t colon = line.find(':');
    header.name = line.substr(0, colon);
    header.value =
        colon == std::string_view::npos ? std::string_view() : trim(line.substr(colon + 1));
    const bool name_is_valid = !header.name.empty() && header.name[0] != '-' &&
                               std::ranges::all_of(header.name, is_name_byte);
    const bool value_is_valid = header.value.find('\0') == std::string_view::npos &&
                                header.value.find('\r') == std::string_view::npos;
    return name_is_valid && value_is_valid ? LineKind::header : LineKind::invalid;
}

// Is `word` one of the elements of a list (RFC 9110 section 5.6.1)?
bool list_has(std::string_view list, std::string_view word)
{
    while (!list.empty()) {
        const std::size_t comma = list.find(',');
        if (iequals(trim(list.substr(0, comma), " \t"), word)) {
            return true;
        }
        list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
    }
    return false;
}

// RFC 9112 sections 6.3 and 9.3. A body whose end is doubtful ends with the connection.
void find_body_end(ResponseHead& head, bool http_1_1)
{
    bool close = !http_1_1;
    bool encoded = false;
    bool chunked = false;
    bool doubtful = false;
    std::optional<std::uint64_t> length;
    for (const auto& [name, value] : head.headers) {
        if (iequals(name, "Connection")) {
            close = close || list_has(value, "close");
        } else if (iequals(name, "Transfer-Encoding")) {
            doubtful = doubtful || encoded;
            encoded = true;
            chunked = iequals(value, "chunked");
        } else if (iequals(name, "Content-Length")) {
            const auto number = parse_number<std::uint64_t>(value);
            doubtful = doubtful || !number || (length && length != number);
            length = number;
        }
    }
    doubtful = doubtful || (encoded && (length || !chunked));
    if (head.status == 204 || head.status == 304) {
        head.body_end = BodyEnd::none;
    } else if (doubtful || (!encoded && !length)) {
        head.body_end = BodyEnd::close;
    } else if (chunked) {
        head.body_end = BodyEnd::chunked;
    } else {
        head.body_end = BodyEnd::length;
        head.content_length = *length;
    }
    head.keep_alive = !close && !doubtful && head.body_end != BodyEnd::close;
}

}  // namespace

std::expected<std::optional<ResponseHead>, HeadError> parse_response_head(std::string_view input)
{
    const bool may_grow = input.size() < kMaxHeadBytes;
    input = input.substr(0, kMaxHeadBytes);
    if (input.size() < kHttp.size() && kHttp.starts_with(input)) {
        return std::nullopt;
    }
    ResponseHead head;
    head.headers.reserve(kUsualHeaders);
    StatusLine status;
    bool in_status_line = input.starts_with(kHttp);
    for (;;) {
        const std::string_view rest = input.substr(head.consumed);
        const std::size_t end = rest.find('\n');
        std::string_view line = rest.substr(0, end);
        if (line.ends_with('\r')) {  // LF may be about to come
            line.remove_suffix(1);
        }
        Header header;
        const LineKind kind = in_status_line ? LineKind::header : parse_line(line, header);
        if (kind == LineKind::invalid) {  // whether or not its end is there: it gets no better
            return std::unexpected(HeadError::invalid);
        }
        if (end == std::string_view::npos) {
            break;
        }
        head.consumed += end + 1;
        if (kind == LineKind::end) {
            head.status = status.status;
            find_body_end(head, status.http_1_1);
            return head;
        }
        if (std::exchange(in_status_line, false)) {
            status = parse_status_line(line.substr(kHttp.size()));
        } else {
            head.headers.push_back(header);
        }
    }
    if (!may_grow) {
        return std::unexpected(HeadError::too_long);
    }
    return std::nullopt;
}

}  // namespace postern::http
