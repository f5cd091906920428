#include "imap/grammar.h"

#include <algorithm>
#include <utility>

#include "base/line.h"
#include "base/text.h"

namespace postern::imap {

bool Command::has_right_arguments() const
{
    switch (verb) {
    case Verb::login:
        return arguments.size() == 2 && !arguments[0].empty();
    case Verb::authenticate:
        return arguments.size() == 1 || arguments.size() == 2;
    case Verb::capability:
    case Verb::noop:
    case Verb::logout:
    case Verb::starttls:
        return true;
    }
    std::unreachable();
}

std::vector<std::string_view> Command::words() const
{
    std::vector<std::string_view> words;
    words.reserve(arguments.size());
    for (const Secret& argument : arguments) {
        words.push_back(argument.reveal());
    }
    return words;
}

std::string completed(std::string_view tag)
{
    return concat({tag, " OK completed\r\n"});
}

std::string too_many_failures(std::string_view tag)
{
    return concat({tag, " NO [UNAVAILABLE] too many failed logins, try again later\r\n"});
}

std::string invalid(std::string_view tag)
{
    return concat({tag, " BAD invalid command\r\n"});
}

std::string prompt(std::string_view text)
{
    return concat({"+ ", text, "\r\n"});
}

std::string capability(std::span<const std::string> words, const Mechanisms& mechanisms,
                       Protection protection)
{
    std::string reply = "* CAPABILITY";
    for (const std::string& word : words) {
        reply += ' ';
        reply += word;
    }
    if (protection.may_authenticate()) {
        for (const std::string_view name : sasl_names(mechanisms)) {
            reply += " AUTH=";
            reply += name;
        }
    }
    if (protection.offers_starttls()) {
        reply += " STARTTLS";
    }
    if (!protection.may_authenticate()) {
        reply += " LOGINDISABLED";  // RFC 9051 section 6.2.3
    }
    return reply + "\r\n";
}

namespace {

Reply::Kind classify(std::string_view line, std::string_view tag)
{
    if (line.starts_with('+')) {
        return Reply::Kind::continuation;
    }
    if (line.starts_with("* ")) {
        return line.starts_with("* OK") ? Reply::Kind::untagged_ok : Reply::Kind::untagged;
    }
    if (tag.empty() || !line.starts_with(tag) || !line.substr(tag.size()).starts_with(' ')) {
        return Reply::Kind::unknown;
    }
    const std::string_view status = line.substr(tag.size() + 1);
    if (status.starts_with("OK")) {
        return Reply::Kind::ok;
    }
    if (status.starts_with("NO")) {
        return Reply::Kind::no;
    }
    return status.starts_with("BAD") ? Reply::Kind::bad : Reply::Kind::unknown;
}

}  // namespace

std::optional<Reply> parse_reply(std::string_view input, std::string_view tag)
{
    const auto line = next_crlf_line(input);
    if (!line) {
        return std::nullopt;
    }
    return Reply{classify(line->text, tag), input.substr(0, line->consumed), line->consumed};
}

std::string starttls_command(std::string_view tag)
{
    return concat({tag, " STARTTLS\r\n"});
}

std::optional<Login> login(std::string_view tag, std::string_view user, std::string_view password)
{
    if (!fits_on_a_line(tag) || !fits_on_a_line(user) || !fits_on_a_line(password)) {
        return std::nullopt;
    }
    return Login{concat({tag, " LOGIN {", std::to_string(user.size()), "}\r\n"}),
                 concat({user, " {", std::to_string(password.size()), "}\r\n"}),
                 Secret::joined({password, "\r\n"})};
}

Secret in_one_piece(const Login& login)
{
    // "{3}" at the end of a line becomes "{3+}".
    const auto without_end = [](std::string_view line) { return line.substr(0, line.size() - 3); };
    return Secret::joined({without_end(login.command), "+}\r\n", without_end(login.user), "+}\r\n",
                           login.password.reveal()});
}

bool takes_one_piece(std::string_view greeting, const Login& login)
{
    constexpr std::string_view kBegin = "[CAPABILITY ";
    constexpr std::size_t kShortMax = 4096;
    const std::size_t begin = greeting.find('[');
    const std::size_t end = greeting.find(']');
    if (end == greeting.npos || begin > end ||
        !iequals(greeting.substr(begin, kBegin.size()), kBegin)) {
        return false;
    }
    const bool is_short =
        login.user.size() <= kShortMax && login.password.reveal().size() <= kShortMax;
    std::string_view words = greeting.substr(begin + kBegin.size(), end - begin - kBegin.size());
    while (!words.empty()) {
        const std::string_view word = words.substr(0, words.find(' '));
        if (iequals(word, "LITERAL+") || (is_short && iequals(word, "LITERAL-"))) {
            return true;
        }
        words.remove_prefix(std::min(words.size(), word.size() + 1));
    }
    return false;
}

}  // namespace postern::imap
