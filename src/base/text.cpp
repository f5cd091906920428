#include "base/text.h"

namespace postern {

namespace {

// Printable ASCII without quotes and backslashes. Looks at all of it without a branch, so that many
// bytes are looked at at once.
bool is_plain(std::string_view text)
{
    bool plain = true;
    for (const char c : text) {
        plain &= c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
    }
    return plain;
}

}  // namespace

std::size_t utf8_length(std::string_view text)
{
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(0);
    const std::size_t length = first < 0x80                    ? 1
                               : first >= 0xc2 && first < 0xe0 ? 2
                               : first >= 0xe0 && first < 0xf0 ? 3
                               : first >= 0xf0 && first < 0xf5 ? 4
                                                               : 0;
    if (length == 0 || text.size() < length) {
        return 0;
    }
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80) {
            return 0;
        }
    }
    if (length > 1) {
        const unsigned second = byte(1);
        const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
        const bool surrogate = first == 0xed && second >= 0xa0;
        const bool beyond = first == 0xf4 && second >= 0x90;
        const bool c1_control = first == 0xc2 && second < 0xa0;  // terminals obey these
        // Separators of lines and paragraphs (U+2028, U+2029), and what turns the direction of a
        // text (U+202A to U+202E, U+2066 to U+2069): viewers of logs obey them, and a reader is
        // misled.
        const unsigned third = length == 3 ? byte(2) : 0;
        const bool misleading =
            first == 0xe2 && ((second == 0x80 && third >= 0xa8 && third <= 0xae) ||
                              (second == 0x81 && third >= 0xa6 && third <= 0xa9));
        if (overlong || surrogate || beyond || c1_control || misleading) {
            return 0;
        }
    }
    return length;
}

std::string to_lower(std::string_view text)
{
    std::string result(text);
    for (char& c : result) {
        c = to_lower(c);
    }
    return result;
}

std::string concat(std::initializer_list<std::string_view> parts)
{
    std::size_t bytes = 0;
    for (const std::string_view part : parts) {
        bytes += part.size();
    }
    std::string text;
    text.reserve(bytes);
    for (const std::string_view part : parts) {
        text += part;
    }
    return text;
}

std::string_view trim(std::string_view text, std::string_view set)
{
    const auto first = text.find_first_not_of(set);
    if (first == std::string_view::npos) {
        return text.substr(0, 0);
    }
    return text.substr(first, text.find_last_not_of(set) - first + 1);
}

std::string escape_for_log(std::string_view text, std::size_t limit)
{
    constexpr char kHex[] = "0123456789abcdef";
    const bool cut = text.size() > limit;
    if (!cut && is_plain(text)) {
        return std::string(text);
    }
    std::string result;
    for (std::string_view rest = text.substr(0, limit); !rest.empty();) {
        const std::size_t length = utf8_length(rest);
        const char c = rest[0];
        if (length > 1 || (length == 1 && c >= 0x20 && c != 0x7f && c != '"' && c != '\\')) {
            result += rest.substr(0, length);
            rest.remove_prefix(length);
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        result += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
        rest.remove_prefix(1);
    }
    return cut ? result + "..." : result;
}

}  // namespace postern
