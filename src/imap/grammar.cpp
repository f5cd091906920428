#include "imap/grammar.h"

#include <fmt/format.h>

#include <utility>

#include "base/line.h"

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
    return fmt::format("{} OK completed\r\n", tag);
}

std::string invalid(std::string_view tag)
{
    return fmt::format("{} BAD invalid command\r\n", tag);
}

std::string prompt(std::string_view text)
{
    return fmt::format("+ {}\r\n", text);
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
    return fmt::format("{} STARTTLS\r\n", tag);
}

std::optional<Login> login(std::string_view tag, std::string_view user, std::string_view password)
{
    if (!fits_on_a_line(tag) || !fits_on_a_line(user) || !fits_on_a_line(password)) {
        return std::nullopt;
    }
    std::string last_part = fmt::format("{}\r\n", password);
    Login parts{fmt::format("{} LOGIN {{{}}}\r\n", tag, user.size()),
                fmt::format("{} {{{}}}\r\n", user, password.size()), Secret(last_part)};
    wipe(last_part.data(), last_part.size());
    return parts;
}

}  // namespace postern::imap
