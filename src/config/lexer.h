// The words of a configuration, one directive at a time. NGINX's language to the byte: white space,
// quotes, comments, escapes; no variables.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace postern::config {

inline constexpr std::size_t kWordBytesMax = 4096;  // NGINX's read buffer: quotes and escapes count

// What ended a run of words.
enum class End : unsigned char { semicolon, open_brace, close_brace, end_of_text };

struct Words {
    std::vector<std::string> words;  // none after close_brace and end_of_text
    End end = End::end_of_text;
    unsigned line = 0;  // where reading stopped
};

struct LexError {
    std::string message;
    unsigned line = 0;
};

class Lexer
{
public:
    enum class Source : unsigned char {
        file,
        command_line
    };  // they differ in an error's words only

    // The text must live as long as the lexer.
    explicit Lexer(std::string_view text, Source source = Source::file)
        : text_(text), source_(source)
    {
    }

    // The words up to the next ";", "{", "}" or the end.
    std::expected<Words, LexError> next();

private:
    // A word's raw bytes from `at_` on, which is moved behind them.
    std::expected<std::string, LexError> bare_word();
    std::expected<std::string, LexError> quoted_word();
    void skip_blanks_and_comments();
    std::unexpected<LexError> too_long(std::size_t start, unsigned line) const;
    std::unexpected<LexError> unexpected_end() const;
    std::unexpected<LexError> unexpected_byte(char byte) const;
    bool at_end() const { return at_ == text_.size(); }
    // One byte of a word, or a backslash and what it protects. False if one of them is NUL: no file
    // name and no host can hold it, and a string that holds it would be cut there.
    bool take_pair();
    char take();  // counts lines

    std::string_view text_;
    std::size_t at_ = 0;
    unsigned line_ = 1;
    Source source_;
};

}  // namespace postern::config
