#include "bench/mailbox.h"

#include <optional>

#include "base/base64.h"
#include "base/text.h"

namespace postern::bench {

namespace {

constexpr std::uint64_t kLiteralMax = 65536;

// The first word, and what is behind it.
struct Words {
    std::string_view first;
    std::string_view rest;
};

Words split(std::string_view text)
{
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos) {
        return {text, {}};
    }
    return {text.substr(0, space), text.substr(space + 1)};
}

}  // namespace

std::string_view Mailbox::greeting() const
{
    switch (protocol_) {
    case Protocol::imap:
        return "* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ AUTH=PLAIN] ready\r\n";  // as Dovecot's
    case Protocol::pop3:
        return "+OK ready\r\n";
    case Protocol::smtp:
        return "220 backend.test ESMTP\r\n";
    }
    return {};
}

Mailbox::Answer Mailbox::on_line(std::string_view line, std::string& out)
{
    switch (protocol_) {
    case Protocol::imap:
        return imap(line, out);
    case Protocol::pop3:
        return pop3(line, out);
    case Protocol::smtp:
        return smtp(line, out);
    }
    return {};
}

// BULK and SINK, for those who are in.
Mailbox::Answer Mailbox::transfer(std::string_view verb, std::string_view argument,
                                  std::string_view ok, std::string_view refusal,
                                  std::string& out) const
{
    const auto [number, mark] = split(argument);
    const auto bytes = parse_number<std::uint64_t>(number);
    Answer answer{.closing = std::string(ok), .mark = parse_number<Mark>(mark)};
    if (!logged_in_ || !bytes || answer.mark.has_value() == mark.empty()) {
        out.append(refusal);
        return {};
    }
    answer.refusal = std::string(refusal);
    (iequals(verb, "BULK") ? answer.filler_bytes : answer.sink_bytes) = *bytes;
    return answer;
}

void Mailbox::on_literal(std::string_view bytes)
{
    arguments_.append(bytes);
    literal_left_ -= bytes.size();
}

void Mailbox::log_in(std::string_view user)
{
    logged_in_ = true;
    user_.assign(user);
}

// RFC 4616.
void Mailbox::log_in_with_plain(std::string_view initial_response)
{
    const std::string message = base64_decode(initial_response).value_or("");
    const std::string_view behind = std::string_view(message).substr(message.find('\0') + 1);
    log_in(behind.substr(0, behind.find('\0')));
}

bool Mailbox::begins_literal(std::string_view line, std::string& out)
{
    const std::size_t brace = line.rfind('{');
    if (!line.ends_with('}') || brace == std::string_view::npos) {
        return false;
    }
    std::string_view digits = line.substr(brace + 1, line.size() - brace - 2);
    const bool waits = !digits.ends_with('+');  // RFC 7888: nobody waits for a "+"
    if (!waits) {
        digits.remove_suffix(1);
    }
    const auto bytes = parse_number<std::uint64_t>(digits);
    if (!bytes || *bytes > kLiteralMax) {
        return false;
    }
    literal_left_ = *bytes;
    if (waits) {
        out.append("+ go on\r\n");
    }
    return true;
}

Mailbox::Answer Mailbox::imap(std::string_view line, std::string& out)
{
    Words words;
    if (waits_ == Waits::for_command) {
        const auto [tag, command] = split(line);
        words = split(command);
        tag_.assign(tag);
        const bool authenticate = iequals(words.first, "AUTHENTICATE");
        is_login_ = authenticate || iequals(words.first, "LOGIN");
        arguments_.clear();
        line = words.rest;
        if (authenticate && split(words.rest).rest.empty()) {
            waits_ = Waits::for_sasl;
            out.append("+ \r\n");
            return {};
        }
    }
    if (waits_ != Waits::for_sasl && begins_literal(line, out)) {
        waits_ = Waits::for_rest;
        arguments_.append(line.substr(0, line.rfind('{')));
        return {};
    }
    const bool is_plain = waits_ == Waits::for_sasl || iequals(words.first, "AUTHENTICATE");
    waits_ = Waits::for_command;

    if (is_plain) {
        log_in_with_plain(line.substr(line.find(' ') + 1));
    } else if (is_login_) {
        arguments_.append(line);
        log_in(split(arguments_).first);
    } else if (iequals(words.first, "BULK") || iequals(words.first, "SINK")) {
        return transfer(words.first, words.rest, tag_ + " OK done\r\n", tag_ + " BAD not now\r\n",
                        out);
    } else if (iequals(words.first, "WHO")) {
        out.append(tag_).append(" OK ").append(user_).append(" is here\r\n");
        return {};
    } else if (iequals(words.first, "CAPABILITY")) {
        out.append("* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n");
    } else if (iequals(words.first, "LOGOUT")) {
        out.append("* BYE bye\r\n").append(tag_).append(" OK done\r\n");
        return {.ends = true};
    } else if (words.first.empty()) {
        out.append("* BAD no command\r\n");
        return {};
    }
    out.append(tag_).append(" OK done\r\n");
    return {};
}

Mailbox::Answer Mailbox::pop3(std::string_view line, std::string& out)
{
    constexpr std::string_view kOk = "+OK done\r\n";
    const auto [verb, rest] = split(line);
    if (waits_ == Waits::for_sasl) {
        waits_ = Waits::for_command;
        log_in_with_plain(line);
    } else if (iequals(verb, "PASS")) {
        logged_in_ = true;
    } else if (iequals(verb, "USER")) {
        user_.assign(rest);
    } else if (iequals(verb, "AUTH") && !rest.empty()) {
        const std::string_view initial_response = split(rest).rest;
        if (initial_response.empty()) {
            waits_ = Waits::for_sasl;
            out.append("+ \r\n");
            return {};
        }
        log_in_with_plain(initial_response);
    } else if (iequals(verb, "WHO")) {
        out.append("+OK ").append(user_).append(" is here\r\n");
        return {};
    } else if (iequals(verb, "BULK") || iequals(verb, "SINK")) {
        return transfer(verb, rest, kOk, "-ERR not now\r\n", out);
    } else if (iequals(verb, "CAPA")) {
        out.append("+OK\r\nUSER\r\nSASL PLAIN\r\n.\r\n");
        return {};
    } else if (iequals(verb, "NOOP") && !logged_in_) {  // RFC 1939 section 5
        out.append("-ERR not now\r\n");
        return {};
    }
    out.append(kOk);
    return {.ends = iequals(verb, "QUIT")};
}

Mailbox::Answer Mailbox::smtp(std::string_view line, std::string& out)
{
    constexpr std::string_view kOk = "250 done\r\n";
    const auto [verb, rest] = split(line);
    if (waits_ == Waits::for_sasl || (iequals(verb, "AUTH") && !split(rest).rest.empty())) {
        log_in_with_plain(waits_ == Waits::for_sasl ? line : split(rest).rest);
        waits_ = Waits::for_command;
        out.append("235 you are in\r\n");
        return {};
    }
    if (iequals(verb, "AUTH")) {
        waits_ = Waits::for_sasl;
        out.append("334 \r\n");
        return {};
    }
    if (iequals(verb, "BULK") || iequals(verb, "SINK")) {
        return transfer(verb, rest, kOk, "503 not now\r\n", out);
    }
    if (iequals(verb, "WHO")) {
        out.append("250 ").append(user_).append(" is here\r\n");
    } else if (iequals(verb, "EHLO")) {
        out.append(
            "250-backend.test\r\n250-XCLIENT ADDR HELO LOGIN NAME PORT PROTO\r\n"
            "250-PIPELINING\r\n250 AUTH PLAIN\r\n");  // as Postfix does
    } else if (iequals(verb, "XCLIENT")) {            // whoever names a login has checked it
        const std::size_t login = rest.find("LOGIN=");
        if (login != std::string_view::npos) {
            log_in(split(rest.substr(login + 6)).first);
        }
        out.append(greeting());
    } else if (iequals(verb, "QUIT")) {
        out.append("221 bye\r\n");
        return {.ends = true};
    } else {
        out.append(kOk);
    }
    return {};
}

}  // namespace postern::bench
