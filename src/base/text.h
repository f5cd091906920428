#pragma once

#include <charconv>
#include <concepts>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace postern {

// ASCII only: the protocols know no other letters.
constexpr char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
constexpr bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
constexpr bool is_alpha(char c)
{
    return to_lower(c) >= 'a' && to_lower(c) <= 'z';
}

std::string to_lower(std::string_view text);

// Empties it and gives its memory back, as neither clear() does nor the assignment of an empty one.
inline void release(std::string& text)
{
    std::string().swap(text);
}

constexpr bool iequals(std::string_view a, std::string_view b)
{
    if (a.size() != b.size()) {
        return false;
    }
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (to_lower(a[i]) != to_lower(b[i])) {
            return false;
        }
    }
    return true;
}

// Its parts in a row: what fmt::format does with "{}{}{}", at a fraction of the cost.
std::string concat(std::initializer_list<std::string_view> parts);

std::string_view trim(std::string_view text, std::string_view set = " ");

// Decimal digits only, the whole text; nothing on overflow.
template <std::unsigned_integral T>
std::optional<T> parse_number(std::string_view text)
{
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

// Text from the network, made safe for a quoted place in a log line: control characters, quotes,
// backslashes and bytes that are not UTF-8 become \xNN, and what is beyond `limit` bytes is cut.
std::string escape_for_log(std::string_view text, std::size_t limit = 512);

// Length of the well-formed UTF-8 sequence (RFC 3629) at the start of `text`, which isn't empty; 0
// if there is none, or one that a log must not hold: viewers obey it, and a reader is misled.
std::size_t utf8_length(std::string_view text);

}  // namespace postern
