#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/authenticator.h"
#include "backend/connection.h"
#include "config/settings.h"
#include "log/session_log.h"
#include "net/conversation.h"
#include "net/task.h"

namespace postern::protocol {

// The talk with a backend while logging in: what is the same in each protocol.
class Upstream
{
public:
    // `internal_error`: what a client is told about failures that are none of its business.
    Upstream(backend::Connection& backend, const auth::Claim& claim, const auth::Mailbox& mailbox,
             const config::MailServer& settings, log::SessionLog& log,
             std::string_view internal_error)
        : backend_(backend),
          claim_(claim),
          mailbox_(mailbox),
          settings_(settings),
          log_(log),
          internal_error_(internal_error)
    {
    }

    std::string_view unread() const { return talk().unread(); }
    void consume(std::size_t bytes) { talk().consume(bytes); }
    // co_await upstream.send(text)
    net::Conversation::Write send(std::string_view text) { return talk().write(text); }

    // Reads on until there is more; false if no more fits, which is logged.
    net::Task<bool> read_more();

    // The way from clear text to TLS: if it is wanted, the dialogue asks for TLS in its protocol
    // before it says anything else, waits for the backend's agreement, and starts it. What was said
    // before is forgotten then. Both return nothing on success, else what the client is told.
    bool wants_starttls() const { return backend_.wants_starttls(); }
    net::Task<std::optional<std::string>> ask_for_tls(std::string_view command);
    net::Task<std::optional<std::string>> start_tls();

    // The failures, logged; each returns what the client is told.
    std::string too_long() const { return std::string(internal_error_); }
    // The backend has said something else than we want, in the first `bytes` of what is unread: its
    // words, if "proxy_pass_error_message" is on and they can be believed to be its own.
    std::string unexpected_reply(std::size_t bytes = std::string_view::npos);
    // Our own refusal to send: `why` is logged as an error.
    std::string failed(std::string_view why);

private:
    net::Conversation& talk() const { return backend_.conversation(); }

    std::string shown(std::string_view words) const;

    backend::Connection& backend_;
    const auth::Claim& claim_;
    const auth::Mailbox& mailbox_;
    const config::MailServer& settings_;
    log::SessionLog& log_;
    std::string_view internal_error_;
};

}  // namespace postern::protocol
