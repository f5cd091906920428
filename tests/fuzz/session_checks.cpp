#include "session_checks.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include "base/line.h"
#include "base/text.h"
#include "targets.h"

namespace postern::fuzz {

namespace {

constexpr std::string_view kHeaders[] = {
    "Host",           "Auth-Method",    "Auth-User",     "Auth-Pass",
    "Auth-Salt",      "Auth-Protocol",  "Auth-Login-Attempt", "Client-IP",
    "Client-Host",    "Auth-SMTP-Helo", "Auth-SMTP-From",     "Auth-SMTP-To",
    "X-Key",          "Auth-SSL",       "Auth-SSL-Protocol",  "Auth-SSL-Cipher",
    "Auth-SSL-Verify", "Auth-SSL-Subject", "Auth-SSL-Issuer", "Auth-SSL-Serial",
    "Auth-SSL-Fingerprint", "Auth-SSL-Cert", "Proxy-Protocol-Addr", "Proxy-Protocol-Port",
    "Proxy-Protocol-Server-Addr", "Proxy-Protocol-Server-Port"};

// The next line, if it is there as a whole.
std::optional<std::string_view> take_line(std::string_view& text)
{
    const auto line = next_crlf_line(text);
    if (!line) {
        return std::nullopt;
    }
    text.remove_prefix(line->consumed);
    require(fits_on_a_line(line->text), "a line for a mailbox server holds no CR, LF or NUL");
    return line->text;
}

void check_relayed(std::string_view rest, std::string_view said)
{
    require(said.find(rest) != std::string_view::npos,
            "behind the login comes what the client has said");
}

// "{N}" at a line's end, and the N bytes behind it. False: there is no more.
bool take_literal(std::string_view& text, std::string_view line)
{
    const std::size_t brace = line.rfind('{');
    require(brace != std::string_view::npos && line.ends_with('}'), "LOGIN has literals");
    std::string_view digits = line.substr(brace + 1, line.size() - brace - 2);
    digits.remove_suffix(digits.ends_with('+') ? 1 : 0);  // where the server takes it in one piece
    const auto size = parse_number<unsigned>(digits);
    require(size.has_value(), "a literal has a size");
    const std::string_view literal = text.substr(0, *size);
    require(fits_on_a_line(literal), "no CR, LF or NUL gets into a login");
    text.remove_prefix(literal.size());
    return literal.size() == *size;
}

void check_imap(std::string_view heard, std::string_view said)
{
    const auto first = take_line(heard);
    if (!first) {
        return;
    }
    require(first->find(" LOGIN {") != std::string_view::npos, "the first command is LOGIN");
    if (!take_literal(heard, *first)) {
        return;
    }
    const auto second = take_line(heard);
    if (!second) {
        return;
    }
    require(second->starts_with(" {"), "a password follows the name");
    if (!take_literal(heard, *second)) {
        return;
    }
    const auto end = take_line(heard);
    if (!end) {
        return;
    }
    require(end->empty(), "LOGIN ends behind the password");
    check_relayed(heard, said);
}

void check_pop3(std::string_view heard, std::string_view said)
{
    for (const std::string_view command : {"USER ", "PASS "}) {
        const auto line = take_line(heard);
        if (!line) {
            return;
        }
        require(line->starts_with(command), "USER, then PASS");
    }
    check_relayed(heard, said);
}

void check_smtp(std::string_view heard, std::string_view said)
{
    bool has_introduced = false;
    for (unsigned lines = 0; lines < 8; ++lines) {
        std::string_view rest = heard;
        const auto line = next_crlf_line(rest);
        if (!line) {
            return;
        }
        const bool is_ours = lines == 0 || line->text.starts_with("XCLIENT ") ||
                             line->text.starts_with("AUTH PLAIN ") ||
                             (!has_introduced && (line->text.starts_with("EHLO ") ||
                                                  line->text.starts_with("HELO ")));
        if (!is_ours || !fits_on_a_line(line->text)) {
            break;  // then it is relayed: the client has said the very same
        }
        require(lines > 0 || line->text == "EHLO test" || line->text == "HELO test",
                "the first command is our greeting");
        has_introduced = lines > 0 && !line->text.starts_with("XCLIENT ");
        heard.remove_prefix(line->consumed);
    }
    // Without AUTH the client's MAIL is kept for the mailbox server, as it was typed, but for its
    // end; all else is relayed.
    const auto mail = next_crlf_line(heard);
    if (mail && said.find(heard) == std::string_view::npos) {
        require(said.find(mail->text) != std::string_view::npos, "MAIL is the client's");
        heard.remove_prefix(mail->consumed);
        if (const auto recipient = next_crlf_line(heard)) {
            require(said.find(recipient->text) != std::string_view::npos, "RCPT is the client's");
            heard.remove_prefix(recipient->consumed);
        }
    }
    check_relayed(heard, said);
}

std::optional<std::string_view> header_of(std::string_view request, std::string_view name)
{
    while (const auto line = next_crlf_line(request)) {
        request.remove_prefix(line->consumed);
        if (line->text.starts_with(name) && line->text.substr(name.size()).starts_with(": ")) {
            return line->text.substr(name.size() + 2);
        }
    }
    return std::nullopt;
}

// What the escapes \xHH of a log stand for: the end of one and what follows it may look like a
// password.
std::string unescaped(std::string_view log)
{
    std::string text;
    while (!log.empty()) {
        const auto digits = log.starts_with("\\x") ? log.substr(2, 2) : std::string_view();
        unsigned value = 0;
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
        const bool is_escape = digits.size() == 2 && end == digits.data() + 2;
        text += is_escape ? static_cast<char>(value) : log.front();
        log.remove_prefix(is_escape ? 4 : 1);
    }
    return text;
}

}  // namespace

void check_request(std::string_view request)
{
    if (!request.ends_with("\r\n\r\n")) {
        require(request.empty(), "a request comes as a whole");
        return;
    }
    std::set<std::string_view> seen;
    bool is_first = true;
    while (const auto line = next_crlf_line(request)) {
        request.remove_prefix(line->consumed);
        require(fits_on_a_line(line->text), "a header is one line");
        if (std::exchange(is_first, false)) {
            require(line->text == "GET /auth HTTP/1.0", "it is our request");
            continue;
        }
        if (line->text.empty()) {
            break;
        }
        const std::string_view name = line->text.substr(0, line->text.find(':'));
        require(std::ranges::find(kHeaders, name) != std::end(kHeaders), "no header is a stranger's");
        require(seen.insert(name).second, "each header comes once");
    }
    require(request.empty(), "nothing follows the request");
}

void check_commands(config::Protocol protocol, std::string_view heard, std::string_view said)
{
    switch (protocol) {
    case config::Protocol::imap:
        return check_imap(heard, said);
    case config::Protocol::pop3:
        return check_pop3(heard, said);
    case config::Protocol::smtp:
        return check_smtp(heard, said);
    }
}

void check_starttls(config::Protocol protocol, std::string_view heard)
{
    if (protocol == config::Protocol::imap) {  // the tag is the client's
        heard.remove_prefix(std::min(heard.find(' '), heard.size()));
    }
    const std::string_view asks = protocol == config::Protocol::imap   ? " STARTTLS\r\n"
                                  : protocol == config::Protocol::pop3 ? "STLS\r\n"
                                                                       : "EHLO test\r\nSTARTTLS\r\n";
    const std::string_view plain = heard.substr(0, asks.size());
    require(asks.starts_with(plain), "STARTTLS comes before all else");
    heard.remove_prefix(plain.size());
    require(std::string_view("\x16\x03").starts_with(heard.substr(0, 2)), "and then TLS");
}

void check_log(std::string_view log, std::span<const std::string> requests, std::string_view said)
{
    const std::string meant = unescaped(log);
    const auto is_hidden = [&](std::string_view secret) {
        return meant.find(secret) == std::string_view::npos;
    };
    require(said.find(kServicesPassword) != std::string_view::npos || is_hidden(kServicesPassword),
            "the service's password is not in the log");
    for (const std::string& request : requests) {
        const auto password = header_of(request, "Auth-Pass");
        const auto user = header_of(request, "Auth-User");
        constexpr std::size_t kTelling = 8;  // shorter ones are found by chance
        if (!password || password->size() < kTelling || password->find('%') != std::string_view::npos ||
            std::ranges::all_of(*password, is_alpha) ||  // "password", "STARTTLS": words of ours
            (user && user->find(*password) != std::string_view::npos)) {
            continue;
        }
        const std::size_t once = said.find(*password);
        const bool is_said_again =
            once != std::string_view::npos && said.find(*password, once + 1) != std::string_view::npos;
        require(is_said_again || is_hidden(*password),
                concat({"no password is in the log: ", *password}));
    }
}

}  // namespace postern::fuzz
