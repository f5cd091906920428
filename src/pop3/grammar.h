// The words of POP3 before login (RFC 1939, 2449, 2595, 5034): commands of clients, our replies to
// them, and the login at a backend. Pure: text in, values out.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mechanisms.h"
#include "base/secret.h"

namespace postern::pop3 {

inline constexpr std::size_t kMaxArguments = 3;

// -- From the client

enum class Verb : unsigned char { user, pass, apop, auth, capa, stls, noop, quit };
std::string_view to_string(Verb verb);  // "PASS"

struct Command {
    Verb verb;
    std::vector<std::string_view> arguments;  // look into the line

    // Is it a command that its verb allows? If not, it is refused, which is no syntax error: USER
    // and PASS take one argument, APOP two, AUTH up to two, others any.
    bool has_right_arguments() const;
};

// Reads a line without its end (base/line.h). Nothing if it is a syntax error. The one argument of
// USER and PASS is the rest of the line after the spaces that separate it, with all spaces in and
// behind it (RFC 1939 section 7 has this for PASS; NGINX: for USER too).
std::optional<Command> parse_command(std::string_view line);

// -- To the client

inline constexpr std::string_view kOk = "+OK\r\n";
inline constexpr std::string_view kInvalid = "-ERR invalid command\r\n";
inline constexpr std::string_view kInternalError = "-ERR internal server error\r\n";
inline constexpr std::string_view kCertificateError = "-ERR SSL certificate error\r\n";
inline constexpr std::string_view kNoCertificate = "-ERR No required SSL certificate\r\n";
inline constexpr std::string_view kShuttingDown = "-ERR server is shutting down\r\n";
// RFC 3206 section 4
inline constexpr std::string_view kTooMany =
    "-ERR [SYS/TEMP] too many connections, try again later\r\n";
// RFC 3206: nobody is to type a password anew.
inline constexpr std::string_view kTooManyFailures =
    "-ERR [SYS/TEMP] too many failed logins, try again later\r\n";
inline constexpr std::string_view kLoginTimedOut = "-ERR [SYS/TEMP] login took too long\r\n";
inline constexpr std::string_view kSentTooMuch =
    "-ERR [SYS/TEMP] too much was sent before login\r\n";

// Does the greeting hold a challenge? If so, APOP and CRAM-MD5 both answer that one.
bool greets_with_challenge(const Mechanisms& mechanisms);
std::string greeting(std::string_view challenge);  // empty: none
std::string prompt(std::string_view text);         // "+ TEXT", of an AUTH exchange
// The answer to AUTH without an argument. NGINX: "plain" offers LOGIN as well, here and in CAPA.
std::string auth_list(const Mechanisms& mechanisms);
// The answer to CAPA. NGINX: between USER and PASS it has the mechanisms and no STLS, whatever
// "starttls" says.
std::string capabilities(std::span<const std::string> words, const Mechanisms& mechanisms,
                         Protection protection, bool user_is_named);

// -- With the backend

struct Reply {
    enum class Kind : unsigned char { ok, error, unknown };

    Kind kind;
    std::string_view line;     // with CRLF; looks into the input
    std::size_t consumed = 0;  // its size
};

// The first of a backend's replies; nothing if it isn't complete.
std::optional<Reply> parse_reply(std::string_view input);

inline constexpr std::string_view kStls = "STLS\r\n";

// Nothing if the argument holds CR, LF or NUL: it would become a command of its own.
std::optional<std::string> user_command(std::string_view user);
std::optional<Secret> pass_command(std::string_view password);

}  // namespace postern::pop3
