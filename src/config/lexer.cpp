#include "config/lexer.h"

#include <fmt/format.h>

namespace postern::config {

namespace {

bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// What a word means: a backslash goes from before a quote or a backslash, \t \r \n become what they
// stand for, and every other pair stays as it is.
std::string unescape(std::string_view raw)
{
    std::string word;
    word.reserve(raw.size());
    for (std::size_t i = 0; i < raw.size(); ++i) {
        if (raw[i] != '\\' || i + 1 == raw.size()) {
            word += raw[i];
            continue;
        }
        switch (const char next = raw[i + 1]) {
        case '"':
        case '\'':
        case '\\':
            word += next;
            ++i;
            break;
        case 't':
            word += '\t';
            ++i;
            break;
        case 'r':
            word += '\r';
            ++i;
            break;
        case 'n':
            word += '\n';
            ++i;
            break;
        default:
            word += raw[i];
        }
    }
    return word;
}

}  // namespace

std::expected<Words, LexError> Lexer::next()
{
    Words result;
    bool must_separate = false;  // a closing quote was read
    for (;;) {
        if (must_separate && !at_end() && !is_blank(text_[at_]) && text_[at_] != ';' &&
            text_[at_] != '{' && text_[at_] != ')') {
            return unexpected_byte(take());
        }
        skip_blanks_and_comments();
        if (at_end()) {
            if (!result.words.empty()) {
                return unexpected_end();
            }
            result.line = line_;
            return result;
        }
        const char c = text_[at_];
        if (c == ';' || c == '{' || c == '}') {
            take();
            // A "}" ends a block only where a directive could begin, the others only behind one.
            if ((c == '}') != result.words.empty()) {
                return unexpected_byte(c);
            }
            result.end = c == ';' ? End::semicolon : c == '{' ? End::open_brace : End::close_brace;
            result.line = line_;
            return result;
        }
        must_separate = c == '"' || c == '\'';
        auto word = must_separate ? quoted_word() : bare_word();
        if (!word) {
            return std::unexpected(std::move(word.error()));
        }
        result.words.push_back(std::move(*word));
    }
}

std::expected<std::string, LexError> Lexer::bare_word()
{
    const std::size_t start = at_;
    const unsigned line = line_;
    bool after_dollar = false;  // "${" opens no block
    while (!at_end()) {
        if (at_ - start >= kWordBytesMax) {
            return too_long(start, line);
        }
        const char c = text_[at_];
        if (is_blank(c) || c == ';' || (c == '{' && !after_dollar)) {
            return unescape(text_.substr(start, at_ - start));
        }
        // NGINX: the brace itself doesn't end the wait for one, so "${{" is a word too.
        after_dollar = c == '$' || (after_dollar && c == '{');
        if (!take_pair()) {
            return unexpected_byte('\0');
        }
    }
    return unexpected_end();
}

std::expected<std::string, LexError> Lexer::quoted_word()
{
    const char quote = take();
    const std::size_t start = at_;
    const unsigned line = line_;
    while (!at_end()) {
        if (at_ - start >= kWordBytesMax) {
            return std::unexpected(LexError{
                fmt::format("too long parameter, probably missing terminating \"{}\" character",
                            quote),
                line});
        }
        if (text_[at_] == quote) {
            take();
            return unescape(text_.substr(start, at_ - 1 - start));
        }
        if (!take_pair()) {
            return unexpected_byte('\0');
        }
    }
    return unexpected_end();
}

void Lexer::skip_blanks_and_comments()
{
    bool comment = false;
    while (!at_end() && (comment || is_blank(text_[at_]) || text_[at_] == '#')) {
        const char c = take();
        comment = c == '#' || (comment && c != '\n');
    }
}

std::unexpected<LexError> Lexer::too_long(std::size_t start, unsigned line) const
{
    return std::unexpected(LexError{
        fmt::format("too long parameter \"{}...\" started", text_.substr(start, 10)), line});
}

std::unexpected<LexError> Lexer::unexpected_end() const
{
    return std::unexpected(LexError{source_ == Source::command_line
                                        ? "unexpected end of parameter, expecting \";\""
                                        : "unexpected end of file, expecting \";\" or \"}\"",
                                    line_});
}

std::unexpected<LexError> Lexer::unexpected_byte(char byte) const
{
    return std::unexpected(LexError{
        byte == '\0' ? "unexpected NUL byte" : fmt::format("unexpected \"{}\"", byte), line_});
}

bool Lexer::take_pair()
{
    const char first = take();
    return first != '\0' && (first != '\\' || at_end() || take() != '\0');
}

char Lexer::take()
{
    const char c = text_[at_++];
    if (c == '\n') {
        ++line_;
    }
    return c;
}

}  // namespace postern::config
