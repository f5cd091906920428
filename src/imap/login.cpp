// The login at the backend: LOGIN with literals, whatever mechanism the client used.
#include "imap/dialogue.h"
#include "protocol/upstream.h"

namespace postern::imap {

namespace {

// What stands before the reply that is waited for.
struct Wanted {
    Reply::Kind kind;
    bool skip_untagged;
};

// Waits for that reply; untagged lines before it are skipped where the RFC allows any (section 7).
// The reply is consumed, except if it is the last: then it and the untagged lines before it stay
// for the client. Nothing on success, else what the client is told.
net::Task<std::optional<std::string>> expect(protocol::Upstream& upstream, std::string_view tag,
                                             Wanted wanted)
{
    std::size_t skipped = 0;
    for (;;) {
        const auto reply = parse_reply(upstream.unread().substr(skipped), tag);
        if (!reply) {
            const bool more = co_await upstream.read_more();
            if (!more) {
                co_return upstream.too_long();
            }
            continue;
        }
        if (reply->kind == wanted.kind) {
            if (wanted.kind != Reply::Kind::ok) {
                upstream.consume(skipped + reply->consumed);
            }
            co_return std::nullopt;
        }
        const bool untagged =
            reply->kind == Reply::Kind::untagged || reply->kind == Reply::Kind::untagged_ok;
        if (!untagged || !wanted.skip_untagged) {
            co_return upstream.unexpected_reply();
        }
        skipped += reply->consumed;
    }
}

}  // namespace

net::Task<protocol::LoginResult> Dialogue::log_in(net::Conversation& backend, const auth::Claim&,
                                                  const auth::Mailbox& mailbox)
{
    protocol::Upstream upstream(backend, settings(), log(), kInternalError);
    const auto commands = login(tag_, mailbox.login, mailbox.password.reveal());
    if (!commands) {
        co_return std::unexpected(
            upstream.failed("login name or password for upstream holds CR, LF or NUL"));
    }

    log().set_action("reading response from upstream");
    constexpr Wanted kGreetingWanted{Reply::Kind::untagged_ok, false};
    constexpr std::string_view kNoTag;
    auto failure = co_await expect(upstream, kNoTag, kGreetingWanted);
    if (failure) {
        co_return std::unexpected(std::move(*failure));
    }
    constexpr Wanted kContinuationWanted{Reply::Kind::continuation, true};
    log().set_action("sending LOGIN command to upstream");
    co_await upstream.send(commands->command);
    failure = co_await expect(upstream, tag_, kContinuationWanted);
    if (failure) {
        co_return std::unexpected(std::move(*failure));
    }
    log().set_action("sending user name to upstream");
    co_await upstream.send(commands->user);
    failure = co_await expect(upstream, tag_, kContinuationWanted);
    if (failure) {
        co_return std::unexpected(std::move(*failure));
    }
    log().set_action("sending password to upstream");
    co_await upstream.send(commands->password.reveal());
    constexpr Wanted kOkWanted{Reply::Kind::ok, true};
    failure = co_await expect(upstream, tag_, kOkWanted);
    if (failure) {
        co_return std::unexpected(std::move(*failure));
    }
    co_return std::string();
}

}  // namespace postern::imap
