// Lines of text as all three protocols have them.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace postern {

// A line at the start of a buffer; it looks into that buffer.
struct Line {
    std::string_view text;     // without its LF, nor one CR before that
    std::size_t consumed = 0;  // with them

    // CR may only stand before LF: anything else makes the line a syntax error.
    bool has_stray_cr() const { return text.find('\r') != std::string_view::npos; }
};

// A client's line: ends at LF, with or without CR. Nothing if the LF has not arrived yet.
std::optional<Line> next_line(std::string_view input);

// A server's line: ends at CRLF and nowhere else. Nothing if that has not arrived yet.
std::optional<Line> next_crlf_line(std::string_view input);

// Words between spaces (TAB is none); nothing if there are more than `limit`.
std::optional<std::vector<std::string_view>> split_words(std::string_view text, std::size_t limit);

// Without CR, LF and NUL: what may be put into a line of a protocol (RFC 5321, 1939) or into an
// HTTP field (RFC 9110 section 5.5) without becoming a second one or ending the first.
bool fits_on_a_line(std::string_view text);

}  // namespace postern
