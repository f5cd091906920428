// The words of IMAP before login (RFC 9051, RFC 3501): commands of clients, our replies to them,
// and the login at a backend. Pure: text in, values out.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/mechanisms.h"
#include "base/secret.h"

namespace postern::imap {

inline constexpr std::size_t kMaxTagBytes = 32;
inline constexpr std::size_t kMaxArguments = 3;

// -- From the client

enum class Verb : unsigned char { capability, noop, logout, starttls, login, authenticate };
std::string_view to_string(Verb verb);  // "LOGIN"

struct Command {
    std::string tag;
    Verb verb;
    std::vector<Secret> arguments;  // any of them may be a password; quotes and literals are undone

    // Is it a command that its verb allows? If not, it is refused, which is no syntax error:
    // LOGIN takes two arguments and the user name isn't empty, AUTHENTICATE one or two, others any.
    bool has_right_arguments() const;
    std::vector<std::string_view> words() const;  // the arguments, to look at
};

struct SyntaxError {
    std::string tag;  // "*" if the line had none
    bool must_close;  // it ended in "+}": what follows is a literal's data and would be run as
                      // commands
};

struct NeedMore {
};

struct Parsed {
    std::variant<NeedMore, Command, SyntaxError> verdict;
    // Bytes of the command or of the bad line; 0 for NeedMore.
    std::size_t consumed = 0;
    // Synchronising literals that this command has announced so far. Each wants one kContinue, even
    // if its data is here already: send as many as were not yet sent for this command, whatever the
    // verdict, and before any other reply.
    unsigned prompts = 0;
};

// Reads the command at the start of `input`, which is all that the client sent and nobody has read.
// More bytes may follow it. Reading again after NeedMore starts over at the same place, so the
// result doesn't depend on how the command was cut into packets. Any number that fits 32 bits is
// taken as the size of a literal: that the whole has to fit a buffer is for the caller to see to.
//
// Differs from NGINX, whose parser stumbles here: "{0}" is an empty argument, a quote that isn't
// closed and an empty tag are syntax errors, and so is "{}".
Parsed parse_command(std::string_view input);

// The tag of a command that is still incomplete, for the answer to one that is too long; "*" if it
// has none.
std::string tag_of(std::string_view input);

// -- To the client

inline constexpr std::string_view kGreeting = "* OK IMAP4 ready\r\n";
inline constexpr std::string_view kContinue = "+ OK\r\n";
inline constexpr std::string_view kBye = "* BYE\r\n";
inline constexpr std::string_view kInternalError = "* BAD internal server error\r\n";
inline constexpr std::string_view kCertificateError = "* BYE SSL certificate error\r\n";
inline constexpr std::string_view kNoCertificate = "* BYE No required SSL certificate\r\n";
inline constexpr std::string_view kShuttingDown = "* BYE server is shutting down\r\n";
// RFC 5530 section 3
inline constexpr std::string_view kTooMany =
    "* BYE [UNAVAILABLE] too many connections, try again later\r\n";
inline constexpr std::string_view kLoginTimedOut = "* BYE login took too long\r\n";
inline constexpr std::string_view kSentTooMuch = "* BYE too much was sent before login\r\n";

std::string completed(std::string_view tag);  // "TAG OK completed"
std::string invalid(std::string_view tag);    // "TAG BAD invalid command"
// "TAG NO [UNAVAILABLE] ..." (RFC 5530 section 3): nobody is to type a password anew.
std::string too_many_failures(std::string_view tag);
std::string prompt(std::string_view text);  // "+ TEXT", of an AUTHENTICATE exchange
// "* CAPABILITY ...": the words as they are configured, then what may be used to log in now.
std::string capability(std::span<const std::string> words, const Mechanisms& mechanisms,
                       Protection protection);

// -- With the backend

struct Reply {
    enum class Kind : unsigned char {
        ok,            // of our tag
        no,            // of our tag
        bad,           // of our tag
        continuation,  // "+"
        untagged_ok,   // "* OK": the greeting we want, later one that changes nothing
        untagged,      // any other "* "
        unknown
    };
    Kind kind;
    std::string_view line;     // with CRLF; looks into the input
    std::size_t consumed = 0;  // its size
};

// The first line of a backend's replies; nothing if it isn't complete. NGINX: status words in lower
// case are not recognised. An empty tag: none was sent yet, no line is taken for an answer to it.
std::optional<Reply> parse_reply(std::string_view input, std::string_view tag);

std::string starttls_command(std::string_view tag);  // "TAG STARTTLS"

// LOGIN with synchronising literals (RFC 9051 section 6.2.3): a part is sent for each "+" before
// it.
struct Login {
    std::string command;  // "TAG LOGIN {3}"
    std::string user;     // "bob {6}"
    Secret password;      // "secret"
};

// All of that in one piece, with literals that nobody waits for (RFC 7888): "TAG LOGIN {3+}" and so
// on.
Secret in_one_piece(const Login& login);

// Does a server with this greeting take them? Its "[CAPABILITY ...]" lists LITERAL+, or LITERAL-,
// which is for no more than 4096 octets each.
bool takes_one_piece(std::string_view greeting, const Login& login);

// Nothing if a part holds CR, LF or NUL: no user types these, so somebody is trying something.
std::optional<Login> login(std::string_view tag, std::string_view user, std::string_view password);

}  // namespace postern::imap
