// The words of SMTP before the relay begins (RFC 5321, 3207, 4954): commands of clients, our
// replies to them, and the login at a backend. Pure: text in, values out.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mechanisms.h"
#include "base/secret.h"

namespace postern::smtp {

inline constexpr std::size_t kMaxArguments = 11;

// -- From the client

enum class Verb : unsigned char {
    helo,
    ehlo,
    auth,
    mail,
    rcpt,
    rset,
    noop,
    quit,
    starttls,
    vrfy,
    expn,
    help
};
std::string_view to_string(Verb verb);  // "EHLO"

struct Command {
    Verb verb;
    std::vector<std::string_view> arguments;  // look into the line
    // From the verb to the last byte that isn't a space, as typed: what is kept of MAIL and RCPT.
    std::string_view text;

    // Is it a command that its verb allows? If not, it is refused, which is no syntax error: HELO
    // and EHLO take one argument, AUTH, MAIL and RCPT one or more, others any. None of HELO, EHLO,
    // MAIL and RCPT may hold a NUL: their text goes into HTTP header fields (RFC 9110 section 5.5).
    bool has_right_arguments() const;
};

// Reads a line without its end (base/line.h). Nothing if it is a syntax error.
std::optional<Command> parse_command(std::string_view line);

// -- To the client

inline constexpr std::string_view kOk = "250 2.0.0 OK\r\n";
inline constexpr std::string_view kBye = "221 2.0.0 Bye\r\n";
inline constexpr std::string_view kStartTls = "220 2.0.0 Start TLS\r\n";
inline constexpr std::string_view kAuthenticated = "235 2.0.0 OK\r\n";
inline constexpr std::string_view kInvalid = "500 5.5.1 Invalid command\r\n";
inline constexpr std::string_view kInvalidArgument = "501 5.5.4 Invalid argument\r\n";
inline constexpr std::string_view kBadSequence = "503 5.5.1 Bad sequence of commands\r\n";
inline constexpr std::string_view kTooEarly =
    "503 5.5.0 Improper use of SMTP command pipelining\r\n";
inline constexpr std::string_view kAuthRequired = "530 5.7.1 Authentication required\r\n";
// RFC 3207 section 4
inline constexpr std::string_view kTlsRequired =
    "530 5.7.0 Must issue a STARTTLS command first\r\n";
inline constexpr std::string_view kInternalError = "451 4.3.2 Internal server error\r\n";
inline constexpr std::string_view kCertificateError = "421 4.7.1 SSL certificate error\r\n";
inline constexpr std::string_view kNoCertificate = "421 4.7.1 No required SSL certificate\r\n";
inline constexpr std::string_view kShuttingDown =
    "421 4.3.2 Service shutting down, closing connection\r\n";
inline constexpr std::string_view kTooMany = "421 4.7.0 Too many connections, try again later\r\n";
// RFC 4954 section 6
inline constexpr std::string_view kTooManyFailures =
    "454 4.7.0 Too many failed logins, try again later\r\n";
inline constexpr std::string_view kLoginTimedOut =
    "421 4.4.2 Login took too long, closing connection\r\n";
inline constexpr std::string_view kSentTooMuch =
    "421 4.7.0 Too much was sent before login, closing connection\r\n";

std::string greeting(std::string_view server_name);
std::string helo_reply(std::string_view server_name);
// The answer to EHLO: the configured words, a line each, then what may be used now.
std::string ehlo_reply(std::string_view server_name, std::span<const std::string> words,
                       const Mechanisms& mechanisms, Protection protection);
std::string prompt(std::string_view text);  // "334 TEXT", of an AUTH exchange

// -- With the backend

struct Reply {
    unsigned code;             // 0: not a reply of RFC 5321 section 4.2
    std::string_view text;     // all its lines with their CRLF; looks into the input
    std::size_t consumed = 0;  // their size
};

// The first of a backend's replies, of one line or several; nothing if it isn't complete.
std::optional<Reply> parse_reply(std::string_view input);

// What follows the keyword, in any case, among the extensions that a reply to EHLO lists (RFC 5321
// section 4.1.1.1), mostly nothing; or it is not there. The first line has no extension. Looks into
// the reply.
std::optional<std::string_view> extension(std::string_view reply, std::string_view keyword);

inline constexpr std::string_view kStartTlsCommand = "STARTTLS\r\n";

// Builders of commands give nothing if an argument holds CR, LF or NUL.
std::optional<std::string> hello_command(bool extended, std::string_view name);  // EHLO or HELO
std::optional<Secret> auth_plain_command(std::string_view user, std::string_view password);
std::optional<std::string> kept_command(
    std::string_view text);  // MAIL or RCPT, as Command::text was

}  // namespace postern::smtp
