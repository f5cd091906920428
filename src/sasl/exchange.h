// What is said between AUTH and its result, for all three protocols. Pure: the dialogue carries the
// lines.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/secret.h"
#include "sasl/mechanism.h"

namespace postern::sasl {

// Ask the client: "+ TEXT" (IMAP, POP3) or "334 TEXT" (SMTP). The text is base64 already, or empty.
struct Prompt {
    std::string text;
};

// Who the client claims to be; whether it is true is for others to find out. Any byte may occur.
struct Claim {
    Mechanism mechanism;
    std::string user;
    Secret secret;  // the password; for CRAM-MD5 the 32 digits of the digest; for EXTERNAL nothing
};

// The client said something that makes no sense: refuse, and forget the exchange.
struct Failure {
    enum class Reason : unsigned char { base64, login, password, digest };

    Mechanism mechanism;
    Reason reason;

    // "client sent invalid base64 encoding in AUTH PLAIN command" and so on, in NGINX's words.
    std::string log_message() const;
};

using Step = std::variant<Prompt, Claim, Failure>;

// One run of a mechanism: begin(), then answer() with the client's next line as long as the step
// before was a Prompt.
class Exchange
{
public:
    // `challenge` is what CRAM-MD5 sends; other mechanisms don't look at it.
    Exchange(Mechanism mechanism, std::string challenge);

    // An initial response, if there is one, is the answer to a prompt that need not be sent.
    Step begin(std::optional<std::string_view> initial_response);

    // A line without its end. NGINX: only what stands before the first space counts. A client that
    // cancels with "*" (RFC 4422 section 3.5) is told what bad base64 is told: "*" is none.
    Step answer(std::string_view line);

private:
    Step receive(std::string_view base64);
    Step plain(std::string_view message) const;
    Step login(std::string_view message);
    Step cram_md5(std::string_view message) const;

    Mechanism mechanism_;
    std::string challenge_;
    std::optional<std::string> user_;  // LOGIN: named already
};

}  // namespace postern::sasl
