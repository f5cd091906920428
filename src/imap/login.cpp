// The login at the backend: STARTTLS if that is wanted, LOGIN with literals, whatever mechanism the
// client used.
#include <algorithm>

#include "imap/dialogue.h"
#include "protocol/upstream.h"
#include "protocol/wrong_login.h"

namespace postern::imap {

namespace {

// The reply that is waited for. Untagged lines before it are skipped where the RFC allows any
// (section 7) and nobody can have put them in. If it is for the client, it stays unread, and so do
// the untagged lines before it.
struct Wanted {
    Reply::Kind kind;
    bool skip_untagged = true;
    bool is_for_client = false;
};

// Waits for that reply. Nothing on success, else what the client is told.
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
            if (!wanted.is_for_client) {
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

// The backend's reply to LOGIN is still unread, untagged lines before it too.
protocol::LoginFailure refusal(std::string told, std::string_view unread, std::string_view tag)
{
    protocol::LoginFailure failure(std::move(told));
    auto reply = parse_reply(unread, tag);
    while (reply &&
           (reply->kind == Reply::Kind::untagged || reply->kind == Reply::Kind::untagged_ok)) {
        unread.remove_prefix(reply->consumed);
        reply = parse_reply(unread, tag);
    }
    const std::size_t before_text = tag.size() + std::string_view(" NO ").size();
    failure.is_wrong =
        reply && reply->kind == Reply::Kind::no &&
        protocol::is_wrong_login(reply->line.substr(std::min(before_text, reply->line.size())));
    return failure;
}

// RFC 9051 section 6.2.1. Nothing on success, else what the client is told.
net::Task<std::optional<std::string>> start_tls(protocol::Upstream& upstream, std::string_view tag)
{
    const std::string command = starttls_command(tag);
    auto failure = co_await upstream.ask_for_tls(command);
    if (!failure) {
        constexpr Wanted kOkWanted{.kind = Reply::Kind::ok, .skip_untagged = false};
        failure = co_await expect(upstream, tag, kOkWanted);
    }
    if (!failure) {
        failure = co_await upstream.start_tls();
    }
    co_return failure;
}

// Each part when the backend has asked for it. Nothing on success, else what the client is told.
net::Task<std::optional<std::string>> send_in_turns(protocol::Upstream& upstream,
                                                    std::string_view tag, const Login& commands,
                                                    log::SessionLog& log)
{
    constexpr Wanted kContinuationWanted{.kind = Reply::Kind::continuation};
    log.set_action("sending LOGIN command to upstream");
    co_await upstream.send(commands.command);
    auto failure = co_await expect(upstream, tag, kContinuationWanted);
    if (!failure) {
        log.set_action("sending user name to upstream");
        co_await upstream.send(commands.user);
        failure = co_await expect(upstream, tag, kContinuationWanted);
    }
    if (!failure) {
        log.set_action("sending password to upstream");
        co_await upstream.send(commands.password.reveal());
    }
    co_return failure;
}

}  // namespace

net::Task<protocol::LoginResult> Dialogue::log_in(backend::Connection& backend,
                                                  const auth::Claim& claim,
                                                  const auth::Mailbox& mailbox)
{
    protocol::Upstream upstream(backend, claim, mailbox, settings(), log(), kInternalError);
    const auto commands = login(tag_, mailbox.login, mailbox.password.reveal());
    if (!commands) {
        co_return std::unexpected(
            upstream.failed("login name or password for upstream holds CR, LF or NUL"));
    }

    // It stays unread until it has been looked at.
    constexpr Wanted kGreetingWanted{
        .kind = Reply::Kind::untagged_ok, .skip_untagged = false, .is_for_client = true};
    constexpr std::string_view kNoTag;
    auto failure = co_await expect(upstream, kNoTag, kGreetingWanted);
    if (failure) {
        co_return std::unexpected(std::move(*failure));
    }
    const std::size_t greeting_bytes = parse_reply(upstream.unread(), kNoTag)->consumed;
    // What was said before TLS is not to be believed.
    const bool goes_in_one_piece =
        !upstream.wants_starttls() &&
        takes_one_piece(upstream.unread().substr(0, greeting_bytes), *commands);
    upstream.consume(greeting_bytes);
    if (upstream.wants_starttls()) {
        failure = co_await start_tls(upstream, tag_);
        if (failure) {
            co_return std::unexpected(std::move(*failure));
        }
    }
    if (goes_in_one_piece) {
        log().set_action("sending password to upstream");
        const Secret all = in_one_piece(*commands);
        co_await upstream.send(all.reveal());
    } else {
        failure = co_await send_in_turns(upstream, tag_, *commands, log());
        if (failure) {
            co_return std::unexpected(std::move(*failure));
        }
    }
    constexpr Wanted kOkWanted{.kind = Reply::Kind::ok, .is_for_client = true};
    failure = co_await expect(upstream, tag_, kOkWanted);
    if (failure) {
        co_return std::unexpected(refusal(std::move(*failure), upstream.unread(), tag_));
    }
    co_return std::string();
}

}  // namespace postern::imap
