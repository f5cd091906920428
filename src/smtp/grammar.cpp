#include "smtp/grammar.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/line.h"
#include "base/text.h"
#include "sasl/plain.h"

namespace postern::smtp {

namespace {

struct VerbName {
    std::string_view name;
    Verb verb;
};

constexpr VerbName kVerbs[] = {
    {"HELO", Verb::helo}, {"EHLO", Verb::ehlo}, {"AUTH", Verb::auth}, {"MAIL", Verb::mail},
    {"RCPT", Verb::rcpt}, {"RSET", Verb::rset}, {"NOOP", Verb::noop}, {"QUIT", Verb::quit},
    {"VRFY", Verb::vrfy}, {"EXPN", Verb::expn}, {"HELP", Verb::help}, {"STARTTLS", Verb::starttls},
};

std::optional<Verb> parse_verb(std::string_view word)
{
    for (const VerbName& known : kVerbs) {
        if (iequals(word, known.name)) {
            return known.verb;
        }
    }
    return std::nullopt;
}

struct Code {
    unsigned value;
    bool continues;  // "250-": another line follows
};

// RFC 5321 section 4.2: three digits, then a space, "-" or, some servers being terse, nothing.
std::optional<Code> parse_code(std::string_view line)
{
    if (line.size() < 3 || (line.size() > 3 && line[3] != ' ' && line[3] != '-')) {
        return std::nullopt;
    }
    const auto value = parse_number<unsigned>(line.substr(0, 3));
    if (!value || *value < 200 || *value > 599) {
        return std::nullopt;
    }
    return Code{*value, line.size() > 3 && line[3] == '-'};
}

}  // namespace

std::string_view to_string(Verb verb)
{
    return std::ranges::find(kVerbs, verb, &VerbName::verb)->name;
}

bool Command::has_right_arguments() const
{
    switch (verb) {
    case Verb::helo:
    case Verb::ehlo:
        return arguments.size() == 1 && fits_on_a_line(text);
    case Verb::mail:
    case Verb::rcpt:
        return !arguments.empty() && fits_on_a_line(text);
    case Verb::auth:
        return !arguments.empty();
    case Verb::rset:
    case Verb::noop:
    case Verb::quit:
    case Verb::starttls:
    case Verb::vrfy:
    case Verb::expn:
    case Verb::help:
        return true;
    }
    std::unreachable();
}

std::optional<Command> parse_command(std::string_view line)
{
    if (line.find('\r') != std::string_view::npos) {
        return std::nullopt;  // it would have to stand before LF
    }
    const std::string_view word = line.substr(0, line.find(' '));
    const auto verb = parse_verb(word);
    if (!verb) {
        return std::nullopt;
    }
    auto arguments = split_words(line.substr(word.size()), kMaxArguments);
    if (!arguments) {
        return std::nullopt;
    }
    return Command{*verb, std::move(*arguments), trim(line)};
}

std::string greeting(std::string_view server_name)
{
    return concat({"220 ", server_name, " ESMTP ready\r\n"});
}

std::string helo_reply(std::string_view server_name)
{
    return concat({"250 ", server_name, "\r\n"});
}

std::string ehlo_reply(std::string_view server_name, std::span<const std::string> words,
                       const Mechanisms& mechanisms, Protection protection)
{
    std::string reply;
    std::size_t last_line = 0;
    const auto add_line = [&](std::string_view text) {
        last_line = reply.size();
        reply += "250-";
        reply += text;
        reply += "\r\n";
    };
    add_line(server_name);
    for (const std::string& word : words) {
        add_line(word);
    }
    const auto names = sasl_names(mechanisms);
    if (protection.may_authenticate() && !names.empty()) {
        add_line(fmt::format("AUTH {}", fmt::join(names, " ")));
    }
    if (protection.offers_starttls()) {
        add_line("STARTTLS");
    }
    reply[last_line + 3] = ' ';  // RFC 5321 section 4.2.1: only lines that others follow have "-"
    return reply;
}

std::string prompt(std::string_view text)
{
    return concat({"334 ", text, "\r\n"});
}

std::optional<Reply> parse_reply(std::string_view input)
{
    std::size_t consumed = 0;
    unsigned first_code = 0;
    for (;;) {
        const auto line = next_crlf_line(input.substr(consumed));
        if (!line) {
            return std::nullopt;
        }
        consumed += line->consumed;
        const auto code = parse_code(line->text);
        // RFC 5321 section 4.2.1: the code is the same on every line.
        if (!code || (first_code != 0 && code->value != first_code)) {
            return Reply{0, input.substr(0, consumed), consumed};
        }
        if (!code->continues) {
            return Reply{code->value, input.substr(0, consumed), consumed};
        }
        first_code = code->value;
    }
}

std::optional<std::string_view> extension(std::string_view reply, std::string_view keyword)
{
    constexpr std::size_t kCodeBytes = 4;  // "250-"
    bool is_first = true;
    while (const auto line = next_crlf_line(reply)) {
        reply.remove_prefix(line->consumed);
        if (std::exchange(is_first, false) || line->text.size() <= kCodeBytes) {
            continue;
        }
        const std::string_view text = line->text.substr(kCodeBytes);
        const std::string_view word = text.substr(0, text.find(' '));
        if (iequals(word, keyword)) {
            return trim(text.substr(word.size()));
        }
    }
    return std::nullopt;
}

std::optional<std::string> hello_command(bool extended, std::string_view name)
{
    if (!fits_on_a_line(name)) {
        return std::nullopt;
    }
    return concat({extended ? "EHLO " : "HELO ", name, "\r\n"});
}

std::optional<Secret> auth_plain_command(std::string_view user, std::string_view password)
{
    // Base64 would let no byte escape, but a NUL would move the password's start (RFC 4616), and
    // all protocols should refuse the same logins.
    if (!fits_on_a_line(user) || !fits_on_a_line(password)) {
        return std::nullopt;
    }
    const Secret response = sasl::plain_response(user, password);
    return Secret::joined({"AUTH PLAIN ", response.reveal(), "\r\n"});
}

std::optional<std::string> kept_command(std::string_view text)
{
    if (!fits_on_a_line(text)) {
        return std::nullopt;
    }
    return concat({text, "\r\n"});
}

}  // namespace postern::smtp
