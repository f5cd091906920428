// The login at the backend: STLS if that is wanted, USER and PASS, whatever mechanism the client
// used.
#include "pop3/dialogue.h"
#include "protocol/upstream.h"
#include "protocol/wrong_login.h"

namespace postern::pop3 {

namespace {

// Waits for "+OK"; the last one stays for the client. Nothing on success, else what the client is
// told.
net::Task<std::optional<std::string>> expect_ok(protocol::Upstream& upstream, bool last)
{
    for (;;) {
        const auto reply = parse_reply(upstream.unread());
        if (!reply) {
            const bool more = co_await upstream.read_more();
            if (!more) {
                co_return upstream.too_long();
            }
            continue;
        }
        if (reply->kind != Reply::Kind::ok) {
            co_return upstream.unexpected_reply();
        }
        if (!last) {
            upstream.consume(reply->consumed);
        }
        co_return std::nullopt;
    }
}

// After USER or PASS; the backend's reply is still unread.
protocol::LoginFailure refusal(std::string told, std::string_view unread)
{
    constexpr std::string_view kError = "-ERR ";
    protocol::LoginFailure failure(std::move(told));
    failure.is_wrong =
        unread.starts_with(kError) && protocol::is_wrong_login(unread.substr(kError.size()));
    return failure;
}

// RFC 2595 section 4. Nothing on success, else what the client is told.
net::Task<std::optional<std::string>> start_tls(protocol::Upstream& upstream)
{
    auto failure = co_await upstream.ask_for_tls(kStls);
    if (!failure) {
        failure = co_await expect_ok(upstream, false);
    }
    if (!failure) {
        failure = co_await upstream.start_tls();
    }
    co_return failure;
}

}  // namespace

net::Task<protocol::LoginResult> Dialogue::log_in(backend::Connection& backend,
                                                  const auth::Claim& claim,
                                                  const auth::Mailbox& mailbox)
{
    protocol::Upstream upstream(backend, claim, mailbox, settings(), log(), kInternalError);
    const auto user = user_command(mailbox.login);
    const auto pass = pass_command(mailbox.password.reveal());
    if (!user || !pass) {
        co_return std::unexpected(
            upstream.failed("login name or password for upstream holds CR, LF or NUL"));
    }

    auto failure = co_await expect_ok(upstream, false);
    if (failure) {
        co_return std::unexpected(std::move(*failure));
    }
    if (upstream.wants_starttls()) {
        failure = co_await start_tls(upstream);
        if (failure) {
            co_return std::unexpected(std::move(*failure));
        }
    }
    log().set_action("sending user name to upstream");
    co_await upstream.send(*user);
    failure = co_await expect_ok(upstream, false);
    if (failure) {
        co_return std::unexpected(refusal(std::move(*failure), upstream.unread()));
    }
    log().set_action("sending password to upstream");
    co_await upstream.send(pass->reveal());
    failure = co_await expect_ok(upstream, true);
    if (failure) {
        co_return std::unexpected(refusal(std::move(*failure), upstream.unread()));
    }
    co_return std::string();
}

}  // namespace postern::pop3
