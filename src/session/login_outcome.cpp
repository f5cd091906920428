// What comes after a client has said who it is: a "no", or its mailbox.
#include "protocol/foreign_words.h"
#include "protocol/wrong_login.h"
#include "session/backend_target.h"
#include "session/login_steps.h"
#include "session/recording.h"

namespace postern::session {

// False: the client may not try again.
net::Task<bool> Login::refuse(const auth::Claim& claim, const auth::Refusal& refusal,
                              const Guess& guess)
{
    log_.line(LogLevel::info, "client login failed: {}",
              protocol::foreign_words(refusal.text, {{claim.login, claim.password}}));
    log_.set_result(log::Result::refused);
    const bool is_wrong = protocol::is_wrong_login(refusal.text, refusal.error_code);
    const auto delay = is_wrong ? guess.failed() : std::chrono::milliseconds(0);
    log_.set_login("");
    const Delays delays{delay, refusal.wait};
    co_await hold_back(client_, delays, *server().held_answers, log_);
    client_.restart(settings().timeout);
    co_await dialogue_->refuse(refusal);
    co_return refusal.wait.count() > 0;
}

net::Task<std::optional<Mailbox>> Login::open(const auth::Claim& claim,
                                              const auth::Mailbox& mailbox, const Guess& guess)
{
    backend::Target target = backend_target(settings(), mailbox);
    target.proxy_header = header_for_backend(settings(), peer_.client_address, client_.stream());
    backend::Connection backend(std::move(target), server().for_backends, settings().proxy_buffer,
                                deadline_, log_);
    using Record = log::SessionRecord;
    record_mailbox(log_, mailbox);
    const auto begun = deadline_.loop().now();
    const bool connected = co_await backend.open(server().resolver);
    record_upstream(log_, backend);
    if (!connected) {
        log_.set_result(log::Result::upstream_error);
        client_.restart(settings().timeout);
        co_await client_.write(dialogue_->internal_error());
        co_return std::nullopt;
    }
    record_time(log_, &Record::upstream_connect_time, deadline_.loop(), begun);
    const auto connected_at = deadline_.loop().now();
    const std::optional<std::string> welcome = co_await log_in(backend, claim, mailbox, guess);
    if (!welcome) {
        co_return std::nullopt;
    }
    record_time(log_, &Record::upstream_login_time, deadline_.loop(), connected_at);
    if (!guess.succeeded()) {
        const std::string reply = dialogue_->too_many_failures();
        co_await client_.write(reply);
        co_return std::nullopt;
    }
    log_.set_action("");
    log_.write_plain(LogLevel::info, "client logged in");
    Mailbox opened;
    opened.from_client = client_.unread();
    opened.from_backend = *welcome;
    opened.from_backend += backend.conversation().unread();
    opened.backend = backend.release();
    opened.idle_limit = settings().proxy_timeout;
    opened.places = gate_.leave();
    log_.debug("relaying, {} bytes from client and {} from upstream are there; silence limit {} ms",
               opened.from_client.size(), opened.from_backend.size(), opened.idle_limit.count());
    co_return std::move(opened);
}

// What the client is told before the relay begins; nothing if the login failed, and it was told
// that.
net::Task<std::optional<std::string>> Login::log_in(backend::Connection& backend,
                                                    const auth::Claim& claim,
                                                    const auth::Mailbox& mailbox,
                                                    const Guess& guess)
{
    std::string reply(dialogue_->internal_error());
    bool is_wrong = false;
    try {
        protocol::LoginResult result = co_await dialogue_->log_in(backend, claim, mailbox);
        if (result) {
            co_return std::move(*result);
        }
        reply = std::move(result.error().reply);
        is_wrong = result.error().is_wrong;
    } catch (const net::Disconnected& end) {
        backend.log_end(end);
    }
    if (is_wrong) {
        log_.write(LogLevel::info, "client login failed at upstream");
        log_.set_result(log::Result::upstream_refused);
        backend.release();  // nobody needs it while the client waits
        const Delays delays{guess.failed(), {}};
        co_await hold_back(client_, delays, *server().held_answers, log_);
    } else {
        log_.set_result(log::Result::upstream_error);
    }
    client_.restart(settings().timeout);
    co_await client_.write(reply);
    co_return std::nullopt;
}

}  // namespace postern::session
