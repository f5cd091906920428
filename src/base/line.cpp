#include "base/line.h"

namespace postern {

std::optional<Line> next_line(std::string_view input)
{
    const auto end = input.find('\n');
    if (end == std::string_view::npos) {
        return std::nullopt;
    }
    std::string_view text = input.substr(0, end);
    if (text.ends_with('\r')) {
        text.remove_suffix(1);
    }
    return Line{text, end + 1};
}

std::optional<Line> next_crlf_line(std::string_view input)
{
    const auto end = input.find("\r\n");
    if (end == std::string_view::npos) {
        return std::nullopt;
    }
    return Line{input.substr(0, end), end + 2};
}

std::optional<std::vector<std::string_view>> split_words(std::string_view text, std::size_t limit)
{
    std::vector<std::string_view> words;
    for (;;) {
        const auto start = text.find_first_not_of(' ');
        if (start == std::string_view::npos) {
            return words;
        }
        if (words.size() == limit) {
            return std::nullopt;
        }
        text.remove_prefix(start);
        words.push_back(text.substr(0, text.find(' ')));
        text.remove_prefix(words.back().size());
    }
}

bool fits_on_a_line(std::string_view text)
{
    // Looks at all of it without a branch, so that many bytes are looked at at once.
    bool breaks = false;
    for (const char c : text) {
        breaks |= c == '\r' || c == '\n' || c == '\0';
    }
    return !breaks;
}

}  // namespace postern
