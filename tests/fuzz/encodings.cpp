// Small readers and writers: base64, xtext, numbers with units, lines, texts for the log.
#include <algorithm>
#include <string>
#include <tuple>

#include "base/base64.h"
#include "base/line.h"
#include "base/text.h"
#include "base/units.h"
#include "smtp/xclient.h"
#include "targets.h"

namespace postern::fuzz {

void encodings(std::string_view input)
{
    require(base64_decode(base64_encode(input)) == input, "base64 goes there and back");
    if (const auto decoded = base64_decode(input)) {
        require(decoded->size() <= input.size(), "decoding makes it no longer");
        require(base64_decode(base64_encode(*decoded)) == *decoded, "what was decoded is plain");
    }
    const std::string xtext = smtp::xtext(input);
    require(std::ranges::all_of(xtext, [](char c) { return c > ' ' && c < 0x7f && c != '='; }),
            "xtext is printable");
    const std::string logged = escape_for_log(input, 100);
    require(std::ranges::none_of(
                logged, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '"'; }),
            "a text in the log is one line, and ends where its quotes do");
    require(logged.size() <= 4 * 100 + 3, "and is bounded");

    if (const auto size = parse_size(input)) {
        require(*size >> 63 == 0 && parse_offset(input) == size, "sizes fit, and are offsets");
    }
    if (const auto time = parse_milliseconds(input)) {
        require(time->count() >= 0, "times are not negative");
    }
    if (const auto time = parse_seconds(input)) {
        require(time->count() >= 0, "times are not negative");
    }
    std::ignore = parse_number<unsigned>(input);

    for (std::string_view rest = input;;) {
        const auto line = next_line(rest);
        if (!line) {
            break;
        }
        require(!fits_on_a_line(line->text) || !line->has_stray_cr(), "a stray CR fits no line");
        if (const auto words = split_words(line->text, 20)) {
            require(words->size() <= 20 && std::ranges::none_of(*words, &std::string_view::empty),
                    "words are not empty, and bounded");
        }
        rest.remove_prefix(line->consumed);
    }
    const auto line = next_crlf_line(input);
    require(!line || input.substr(line->text.size(), 2) == "\r\n", "a server's line ends in CRLF");
}

}  // namespace postern::fuzz
