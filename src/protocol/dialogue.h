// What the session asks of IMAP, POP3 and SMTP.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "auth/authenticator.h"
#include "backend/connection.h"
#include "base/line.h"
#include "base/mechanisms.h"
#include "config/settings.h"
#include "log/session_log.h"
#include "net/conversation.h"
#include "net/task.h"
#include "sasl/exchange.h"

namespace postern::protocol {

// What a dialogue works with. Owned by the session, which outlives the dialogue.
struct Context {
    net::Conversation& client;
    const config::MailServer& settings;
    log::SessionLog& log;
    const auth::Peer& peer;
    // For APOP and CRAM-MD5: made when it is first needed, and kept for as long as the connection
    // lasts, as a POP3 client has it from the greeting.
    std::string& challenge;
};

// What the talk with a client has come to.
struct Goodbye {
};  // it has left, or had too many errors, and has been answered
struct WantsTls {
};  // it has been told to begin
using Request = std::variant<Goodbye, WantsTls, auth::Claim>;

// A login at the backend that has failed.
struct LoginFailure {
    LoginFailure(std::string told) : reply(std::move(told)) {}

    std::string reply;      // to the client
    bool is_wrong = false;  // the backend has said that the name or password is wrong
};

// How a login at the backend ended. Success: what the client is told before the relay begins (often
// nothing: the backend's own words are still unread and go first).
using LoginResult = std::expected<std::string, LoginFailure>;

// The talk with a client before it is logged in, and with its backend on its behalf. All waits
// throw net::Disconnected when the side they wait for has gone or is too slow. One ends where TLS
// begins, and a new one goes on: so nothing that was said before can have a meaning afterwards.
class Dialogue
{
public:
    virtual ~Dialogue() = default;

    // False: the client may not go on, and knows why.
    virtual net::Task<bool> greet() = 0;
    // Talks until the client claims to be somebody, or wants TLS, or leaves.
    virtual net::Task<Request> authorize() = 0;
    // Passes on the answer "no".
    virtual net::Task<> refuse(const auth::Refusal& refusal) = 0;
    // Opens the mailbox at the backend. Logs why, if it fails.
    virtual net::Task<LoginResult> log_in(backend::Connection& backend, const auth::Claim& claim,
                                          const auth::Mailbox& mailbox) = 0;

    // Complete replies, with CRLF.
    virtual std::string_view internal_error() const = 0;
    virtual std::string_view access_denied() const = 0;
    virtual std::string_view certificate_error() const = 0;
    virtual std::string_view no_certificate() const = 0;
    virtual std::string_view shutting_down() const = 0;
    virtual std::string_view too_many() const = 0;
    virtual std::string_view login_timed_out() const = 0;
    virtual std::string_view sent_too_much() const = 0;
    // To the claim that `authorize` has returned.
    virtual std::string too_many_failures() const = 0;
};

// What the three have in common: the patience with bad commands, and SASL.
class DialogueBase : public Dialogue
{
protected:
    explicit DialogueBase(const Context& context) : context_(context) {}

    net::Conversation& client() { return context_.client; }
    const config::MailServer& settings() const { return context_.settings; }
    log::SessionLog& log() { return context_.log; }
    const auth::Peer& peer() const { return context_.peer; }
    Protection protection() const { return {settings().starttls, peer().tls.has_value()}; }

    // Count, and say whether this was one too many; if so, it is logged.
    bool too_many_errors();
    bool too_many_commands();
    // At level debug: a command's verb and how many arguments it had, never what they were. No
    // verb: a syntax error.
    void log_command(std::string_view verb, std::size_t arguments);
    // The client's buffer is full and holds no whole command. What it holds may be a password: not
    // logged.
    void log_too_long();

    // The client's next line, which is consumed: look at it before the next wait for the client.
    // Nothing: it is longer than the buffer, which is logged, and the client has to be told.
    net::Task<std::optional<Line>> read_line();

    // May this go to a backend at all? CR, LF and NUL have no place in a login name or password:
    // such a claim is refused, and logged.
    bool is_well_formed(const auth::Claim& claim);

    // The challenge of this connection, for APOP and CRAM-MD5.
    const std::string& challenge();

    // Runs a mechanism to its end. `prompt` goes before each challenge: "+ " or "334 ". Nothing: it
    // failed, which is logged, and the client has to be told; or the client sent too much
    // (`too_long`).
    struct SaslEnd {
        std::optional<auth::Claim> claim;
        bool too_long = false;
    };
    net::Task<SaslEnd> run_sasl(sasl::Mechanism mechanism, sasl::Step first_step,
                                sasl::Exchange& exchange, std::string_view prompt);

private:
    Context context_;
    unsigned errors_ = 0;
    unsigned commands_ = 0;
};

}  // namespace postern::protocol
