#include "pop3/grammar.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/line.h"
#include "base/text.h"

namespace postern::pop3 {

namespace {

struct VerbName {
    std::string_view name;
    Verb verb;
};

constexpr VerbName kVerbs[] = {
    {"USER", Verb::user}, {"PASS", Verb::pass}, {"APOP", Verb::apop}, {"AUTH", Verb::auth},
    {"CAPA", Verb::capa}, {"STLS", Verb::stls}, {"NOOP", Verb::noop}, {"QUIT", Verb::quit},
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

// "pop3_auth" knows no "login": it comes with "plain".
std::vector<std::string_view> offered_names(Mechanisms mechanisms)
{
    mechanisms.login = mechanisms.plain;
    return sasl_names(mechanisms);
}

}  // namespace

std::string_view to_string(Verb verb)
{
    return std::ranges::find(kVerbs, verb, &VerbName::verb)->name;
}

bool Command::has_right_arguments() const
{
    switch (verb) {
    case Verb::user:
    case Verb::pass:
        return arguments.size() == 1;
    case Verb::apop:
        return arguments.size() == 2;
    case Verb::auth:
        return arguments.size() <= 2;
    case Verb::capa:
    case Verb::stls:
    case Verb::noop:
    case Verb::quit:
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
    std::string_view rest = line.substr(word.size());
    if (*verb == Verb::user || *verb == Verb::pass) {
        const auto start = rest.find_first_not_of(' ');
        if (start == std::string_view::npos) {
            return Command{*verb, {}};
        }
        return Command{*verb, {rest.substr(start)}};
    }
    auto arguments = split_words(rest, kMaxArguments);
    if (!arguments) {
        return std::nullopt;
    }
    return Command{*verb, std::move(*arguments)};
}

bool greets_with_challenge(const Mechanisms& mechanisms)
{
    return mechanisms.apop || mechanisms.cram_md5;
}

std::string greeting(std::string_view challenge)
{
    return challenge.empty() ? "+OK POP3 ready\r\n"
                             : concat({"+OK POP3 ready ", challenge, "\r\n"});
}

std::string prompt(std::string_view text)
{
    return concat({"+ ", text, "\r\n"});
}

std::string auth_list(const Mechanisms& mechanisms)
{
    std::string reply = "+OK methods supported:\r\n";
    for (const std::string_view name : offered_names(mechanisms)) {
        reply += name;
        reply += "\r\n";
    }
    return reply + ".\r\n";
}

std::string capabilities(std::span<const std::string> words, const Mechanisms& mechanisms,
                         Protection protection, bool user_is_named)
{
    const bool may_authenticate = user_is_named || protection.may_authenticate();
    std::string reply = "+OK Capability list follows\r\n";
    for (const std::string& word : words) {
        if (may_authenticate || !iequals(word, "USER")) {
            reply += word;
            reply += "\r\n";
        }
    }
    if (may_authenticate) {
        reply += "SASL";
        for (const std::string_view name : offered_names(mechanisms)) {
            reply += ' ';
            reply += name;
        }
        reply += "\r\n";
    }
    if (!user_is_named && protection.offers_starttls()) {
        reply += "STLS\r\n";
    }
    return reply + ".\r\n";
}

std::optional<Reply> parse_reply(std::string_view input)
{
    const auto line = next_crlf_line(input);
    if (!line) {
        return std::nullopt;
    }
    const Reply::Kind kind = line->text.starts_with("+OK")    ? Reply::Kind::ok
                             : line->text.starts_with("-ERR") ? Reply::Kind::error
                                                              : Reply::Kind::unknown;
    return Reply{kind, input.substr(0, line->consumed), line->consumed};
}

std::optional<std::string> user_command(std::string_view user)
{
    if (!fits_on_a_line(user)) {
        return std::nullopt;
    }
    return concat({"USER ", user, "\r\n"});
}

std::optional<Secret> pass_command(std::string_view password)
{
    if (!fits_on_a_line(password)) {
        return std::nullopt;
    }
    return Secret::joined({"PASS ", password, "\r\n"});
}

}  // namespace postern::pop3
