#include "config/troff.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

namespace postern::config {

namespace {

constexpr std::size_t kLineMax = 78;

constexpr bool is_capital(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

constexpr bool is_word(char c)
{
    return is_capital(c) || (c >= 'a' && c <= 'z');
}

// How many bytes the character that begins with this one has in UTF-8.
constexpr std::size_t utf8_size(char first)
{
    const auto byte = static_cast<unsigned char>(first);
    return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

// One character, as it is written outside of requests. In code a dash and quotes are the ASCII
// ones.
std::string escaped(std::string_view character, bool code)
{
    if (character == "…") {
        return "...";  // not all devices have the character
    }
    if (character.size() > 1) {
        unsigned point = static_cast<unsigned char>(character[0]) & (0x7fu >> character.size());
        for (const char c : character.substr(1)) {
            point = point << 6 | (static_cast<unsigned char>(c) & 0x3fu);
        }
        return fmt::format("\\[u{:04X}]", point);
    }
    switch (character[0]) {
    case '\\':
        return "\\e";
    case '~':
        return "\\(ti";
    case '^':
        return "\\(ha";
    case '-':
        return code ? "\\-" : "-";
    case '\'':
        return code ? "\\(aq" : "'";
    default:
        return std::string(character);
    }
}

// Puts words into lines.
class Lines
{
public:
    void add(std::string_view word)
    {
        if (used_ > 0) {
            const bool fits = used_ + 1 + word.size() <= kLineMax;
            text_ += fits ? ' ' : '\n';
            used_ = fits ? used_ + 1 : 0;
        }
        if (used_ == 0 && (word.starts_with('.') || word.starts_with('\''))) {
            text_ += "\\&";  // not a request
        }
        text_ += word;
        used_ += word.size();
    }
    std::string finish() { return std::move(text_) + '\n'; }

private:
    std::string text_;
    std::size_t used_ = 0;  // of the line that is being filled
};

}  // namespace

std::string troff_paragraph(std::string_view markup)
{
    Lines lines;
    std::string word;
    bool code = false;
    bool emphasis = false;
    for (std::size_t i = 0; i < markup.size();) {
        const char c = markup[i];
        const std::size_t size = std::min(utf8_size(c), markup.size() - i);
        const bool star = c == '*' && !code;
        if (c == '`') {
            code = !code;
            word += code ? "\\fB" : "\\fR";
        } else if (star && (emphasis || markup.find('*', i + 1) != std::string_view::npos)) {
            emphasis = !emphasis;
            word += emphasis ? "\\fI" : "\\fR";
        } else if (c == ' ' || c == '\n') {
            lines.add(word);
            word.clear();
        } else {
            word += escaped(markup.substr(i, size), code);
        }
        i += size;
    }
    lines.add(word);
    return lines.finish();
}

std::string troff_syntax(std::string_view syntax)
{
    constexpr std::string_view kBetween = " []{}|…";
    std::string text;
    char font = 'R';
    for (std::size_t i = 0; i < syntax.size();) {
        // A word and what follows it up to the next, or one character.
        std::size_t end = i;
        while (end < syntax.size() && is_word(syntax[end])) {
            ++end;
        }
        const bool word = end > i;
        if (!word) {
            end = i + std::min(utf8_size(syntax[i]), syntax.size() - i);
        }
        const std::string_view part = syntax.substr(i, end - i);
        const bool put_in =
            word && !(part[0] >= '0' && part[0] <= '9') && std::ranges::all_of(part, is_capital);
        const char wanted = put_in                                          ? 'I'
                            : kBetween.find(part) == std::string_view::npos ? 'B'
                                                                            : 'R';
        if (wanted != font && part != " ") {
            text += fmt::format("\\f{}", wanted);
            font = wanted;
        }
        for (std::size_t j = 0; j < part.size(); j += utf8_size(part[j])) {
            text += escaped(part.substr(j, utf8_size(part[j])), true);
        }
        i = end;
    }
    return font == 'R' ? text : text + "\\fR";
}

}  // namespace postern::config
