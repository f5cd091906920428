#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

#include "base/line.h"
#include "base/text.h"
#include "imap/grammar.h"

namespace postern::imap {

namespace {

struct VerbName {
    std::string_view name;
    Verb verb;
};

constexpr VerbName kVerbs[] = {
    {"CAPABILITY", Verb::capability}, {"NOOP", Verb::noop},   {"LOGOUT", Verb::logout},
    {"STARTTLS", Verb::starttls},     {"LOGIN", Verb::login}, {"AUTHENTICATE", Verb::authenticate},
};

// RFC 9051 allows more in a tag; these are what NGINX takes.
constexpr bool is_tag_byte(char c)
{
    return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_';
}

// Walks over the input once. Each step stands at its first byte and leaves behind its last one; a
// step that ends `bad` has not passed the LF at which the next command begins.
class Parser
{
public:
    explicit Parser(std::string_view input) : input_(input) {}

    Parsed run();

private:
    enum class Outcome : unsigned char { good, need_more, bad };

    Outcome command();
    Outcome tag();
    Outcome verb();
    Outcome arguments();
    Outcome argument();
    Outcome atom();
    Outcome quoted();
    Outcome literal();
    Outcome literal_size(std::uint32_t& size);
    Outcome end_of_line();
    std::variant<NeedMore, Command, SyntaxError> skip_bad_line();

    bool at_end() const { return at_ == input_.size(); }
    char here() const { return input_[at_]; }
    bool at_line_break() const { return here() == '\r' || here() == '\n'; }
    void skip_spaces();
    Command take_command() const;

    // Looks into the input: nothing is copied until the command is complete.
    struct Argument {
        std::string_view text;
        bool escaped = false;  // holds backslashes that make the next byte literal
    };

    std::string_view input_;
    std::size_t at_ = 0;
    std::string_view tag_;
    Verb verb_{};
    std::array<Argument, kMaxArguments> arguments_;
    std::size_t argument_count_ = 0;
    unsigned prompts_ = 0;
};

Secret unescape(std::string_view text)
{
    std::string plain;
    plain.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\') {
            ++i;  // there is a next byte: the parser saw it
        }
        plain += text[i];
    }
    Secret secret(plain);
    wipe(plain.data(), plain.size());
    return secret;
}

Parsed Parser::run()
{
    Parsed parsed;
    switch (command()) {
    case Outcome::need_more:
        break;
    case Outcome::good:
        parsed.verdict = take_command();
        parsed.consumed = at_;
        break;
    case Outcome::bad:
        parsed.verdict = skip_bad_line();
        parsed.consumed = std::holds_alternative<NeedMore>(parsed.verdict) ? 0 : at_;
        break;
    }
    parsed.prompts = prompts_;
    return parsed;
}

Parser::Outcome Parser::command()
{
    for (const auto step : {&Parser::tag, &Parser::verb, &Parser::arguments}) {
        if (const Outcome outcome = (this->*step)(); outcome != Outcome::good) {
            return outcome;
        }
    }
    return Outcome::good;
}

Parser::Outcome Parser::tag()
{
    while (!at_end() && is_tag_byte(here())) {
        if (++at_ > kMaxTagBytes) {
            return Outcome::bad;
        }
    }
    if (at_end()) {
        return Outcome::need_more;
    }
    if (at_ == 0 || here() != ' ') {
        return Outcome::bad;
    }
    tag_ = input_.substr(0, at_);
    return Outcome::good;
}

Parser::Outcome Parser::verb()
{
    skip_spaces();
    const std::size_t start = at_;
    while (!at_end() && is_alpha(here())) {
        ++at_;
    }
    if (at_end()) {
        return Outcome::need_more;
    }
    if (here() != ' ' && !at_line_break()) {
        return Outcome::bad;
    }
    const std::string_view word = input_.substr(start, at_ - start);
    for (const VerbName& known : kVerbs) {
        if (iequals(word, known.name)) {
            verb_ = known.verb;
            return Outcome::good;
        }
    }
    return Outcome::bad;
}

Parser::Outcome Parser::arguments()
{
    for (;;) {
        skip_spaces();
        if (at_end()) {
            return Outcome::need_more;
        }
        if (at_line_break()) {
            return end_of_line();
        }
        if (argument_count_ == kMaxArguments) {
            return Outcome::bad;
        }
        if (const Outcome outcome = argument(); outcome != Outcome::good) {
            return outcome;
        }
        ++argument_count_;
    }
}

Parser::Outcome Parser::argument()
{
    switch (here()) {
    case '"':
        return quoted();
    case '{':
        return literal();
    default:
        return atom();
    }
}

// NGINX: whatever stands before the next space, so that quotes and backslashes inside are
// themselves.
Parser::Outcome Parser::atom()
{
    const std::size_t start = at_;
    at_ = input_.find_first_of(" \r\n", at_);
    if (at_ == std::string_view::npos) {
        return Outcome::need_more;
    }
    arguments_[argument_count_] = {input_.substr(start, at_ - start)};
    return Outcome::good;
}

// RFC 9051 section 4.3, but a backslash may stand before any byte of the line. NGINX: the next
// argument may follow without a space.
Parser::Outcome Parser::quoted()
{
    const std::size_t start = ++at_;
    bool escaped = false;
    for (; !at_end(); ++at_) {
        if (here() == '"') {
            arguments_[argument_count_] = {input_.substr(start, at_ - start), escaped};
            ++at_;
            return Outcome::good;
        }
        if (here() == '\\') {
            escaped = true;
            if (++at_; at_end()) {
                break;
            }
        }
        if (at_line_break()) {
            return Outcome::bad;
        }
    }
    return Outcome::need_more;
}

// RFC 9051 section 4.3: the size, a line break, and so many bytes of any value. RFC 7888: with "+"
// the client doesn't wait to be asked for them.
Parser::Outcome Parser::literal()
{
    std::uint32_t size = 0;
    if (const Outcome outcome = literal_size(size); outcome != Outcome::good) {
        return outcome;
    }
    const bool synchronising = here() != '+';
    if (!synchronising) {
        ++at_;
    }
    if (at_end()) {
        return Outcome::need_more;
    }
    if (here() != '}') {
        return Outcome::bad;
    }
    if (++at_; at_end()) {
        return Outcome::need_more;
    }
    if (!at_line_break()) {
        return Outcome::bad;
    }
    if (const Outcome outcome = end_of_line(); outcome != Outcome::good) {
        return outcome;
    }
    prompts_ += synchronising;
    if (input_.size() - at_ <= size) {
        return Outcome::need_more;  // the byte after the literal counts too
    }
    arguments_[argument_count_] = {input_.substr(at_, size)};
    at_ += size;
    return here() == ' ' || at_line_break() ? Outcome::good : Outcome::bad;
}

// Stands at "{". Ends at the byte after the last digit.
Parser::Outcome Parser::literal_size(std::uint32_t& size)
{
    const std::size_t start = ++at_;
    for (; !at_end() && is_digit(here()); ++at_) {
        const auto digit = static_cast<std::uint32_t>(here() - '0');
        if (size > (std::numeric_limits<std::uint32_t>::max() - digit) / 10) {
            return Outcome::bad;
        }
        size = size * 10 + digit;
    }
    if (at_end()) {
        return Outcome::need_more;
    }
    return at_ == start ? Outcome::bad : Outcome::good;
}

// Stands at CR or LF.
Parser::Outcome Parser::end_of_line()
{
    if (here() == '\r') {
        if (at_ + 1 == input_.size()) {
            return Outcome::need_more;
        }
        if (input_[at_ + 1] != '\n') {
            return Outcome::bad;
        }
        ++at_;
    }
    ++at_;
    return Outcome::good;
}

std::variant<NeedMore, Command, SyntaxError> Parser::skip_bad_line()
{
    const auto line = next_line(input_.substr(at_));
    if (!line) {
        return NeedMore{};
    }
    at_ += line->consumed;
    std::string_view whole = input_.substr(0, at_ - 1);
    if (whole.ends_with('\r')) {
        whole.remove_suffix(1);
    }
    return SyntaxError{std::string(tag_.empty() ? "*" : tag_), whole.ends_with("+}")};
}

void Parser::skip_spaces()
{
    while (!at_end() && here() == ' ') {
        ++at_;
    }
}

Command Parser::take_command() const
{
    Command command{std::string(tag_), verb_, {}};
    command.arguments.reserve(argument_count_);
    for (std::size_t i = 0; i < argument_count_; ++i) {
        const Argument& argument = arguments_[i];
        command.arguments.push_back(argument.escaped ? unescape(argument.text)
                                                     : Secret(argument.text));
    }
    return command;
}

}  // namespace

std::string_view to_string(Verb verb)
{
    return std::ranges::find(kVerbs, verb, &VerbName::verb)->name;
}

Parsed parse_command(std::string_view input)
{
    return Parser(input).run();
}

std::string tag_of(std::string_view input)
{
    const auto end = std::ranges::find_if_not(input, is_tag_byte) - input.begin();
    const auto size = static_cast<std::size_t>(end);
    const bool is_tag =
        size > 0 && size <= kMaxTagBytes && size < input.size() && input[size] == ' ';
    return std::string(is_tag ? input.substr(0, size) : "*");
}

}  // namespace postern::imap
