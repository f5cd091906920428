// The login at the backend: STARTTLS if that is wanted, EHLO, XCLIENT, then AUTH PLAIN or the
// client's own MAIL and RCPT.
#include <utility>
#include <vector>

#include "smtp/dialogue.h"

namespace postern::smtp {

namespace {

// RFC 5321 section 4.2.3
constexpr unsigned kReady = 220;
constexpr unsigned kOkCode = 250;
constexpr unsigned kAuthenticationSucceeded = 235;  // RFC 4954 section 6

// A command and the reply that lets us go on.
struct Exchange {
    const char* action;
    Secret command;  // with CRLF; empty: nothing is sent, the greeting is waited for
    unsigned expected;
    unsigned expected_too = 0;
};

// The next reply, which stays unread; nothing if it is too long, which is logged.
net::Task<std::optional<Reply>> read_reply(protocol::Upstream& upstream)
{
    for (;;) {
        const auto reply = parse_reply(upstream.unread());
        if (reply) {
            co_return reply;
        }
        const bool more = co_await upstream.read_more();
        if (!more) {
            co_return std::nullopt;
        }
    }
}

// Nothing on success, else what the client is told.
net::Task<std::optional<std::string>> run(protocol::Upstream& upstream, const Exchange& exchange)
{
    if (!exchange.command.empty()) {
        co_await upstream.send(exchange.command.reveal());
    }
    const std::optional<Reply> reply = co_await read_reply(upstream);
    if (!reply) {
        co_return upstream.too_long();
    }
    if (reply->code != exchange.expected &&
        (exchange.expected_too == 0 || reply->code != exchange.expected_too)) {
        co_return upstream.unexpected_reply();
    }
    upstream.consume(reply->consumed);
    co_return std::nullopt;
}

// RFC 3207. What the backend's EHLO says before TLS is used for nothing but to see whether there is
// TLS: it is asked anew after that (section 4.2). Nothing on success, else what the client is told.
net::Task<std::optional<std::string>> start_tls(protocol::Upstream& upstream,
                                                const std::string& hello)
{
    co_await upstream.send(hello);
    const std::optional<Reply> reply = co_await read_reply(upstream);
    if (!reply) {
        co_return upstream.too_long();
    }
    if (reply->code != kOkCode) {
        co_return upstream.unexpected_reply();
    }
    const bool is_offered = offers(*reply, "STARTTLS");
    upstream.consume(reply->consumed);
    if (!is_offered) {
        co_return upstream.failed("upstream does not offer STARTTLS");
    }
    auto failure = co_await upstream.ask_for_tls(kStartTlsCommand);
    if (!failure) {
        const Exchange agreement{"", Secret(), kReady};
        failure = co_await run(upstream, agreement);
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
    protocol::Upstream upstream(backend, settings(), log(), kInternalError);
    const bool anonymous = claim.method == auth::Method::none;
    const bool authenticates = settings().proxy_smtp_auth && !anonymous;

    const auto tls_hello = hello_command(true, settings().server_name);
    const auto hello = hello_command(settings().xclient || extended_, settings().server_name);
    const auto client_hello = hello_command(extended_, helo_);
    auto auth_plain = auth_plain_command(mailbox.login, mailbox.password.reveal());
    const auto mail = kept_command(claim.smtp_from);
    const auto recipient = kept_command(claim.smtp_to);
    if (!tls_hello || !hello || !client_hello || !auth_plain || !mail || !recipient) {
        co_return std::unexpected(upstream.failed("data for upstream holds CR, LF or NUL"));
    }

    log().set_action("reading response from upstream");
    const Exchange greeting{"", Secret(), kReady};
    auto failure = co_await run(upstream, greeting);
    if (!failure && upstream.wants_starttls()) {
        log().set_action("sending HELO/EHLO to upstream");
        failure = co_await start_tls(upstream, *tls_hello);
    }
    if (failure) {
        co_return std::unexpected(std::move(*failure));
    }
    std::vector<Exchange> exchanges;
    exchanges.push_back({"sending HELO/EHLO to upstream", Secret(*hello), kOkCode});
    if (settings().xclient) {
        const std::string xclient =
            xclient_command(peer().client_address, settings().proxy_smtp_auth ? "" : mailbox.login,
                            peer().client_host);
        exchanges.push_back({"sending XCLIENT to upstream", Secret(xclient), kReady, kOkCode});
        if (!helo_.empty()) {
            exchanges.push_back(
                {"sending client HELO/EHLO to upstream", Secret(*client_hello), kOkCode});
        }
    }
    if (authenticates) {
        exchanges.push_back(
            {"sending AUTH to upstream", std::move(*auth_plain), kAuthenticationSucceeded});
    }
    if (anonymous) {
        exchanges.push_back({"sending MAIL FROM to upstream", Secret(*mail), kOkCode});
    }
    for (const Exchange& exchange : exchanges) {
        log().set_action(exchange.action);
        if (exchange.expected == kAuthenticationSucceeded && !mailbox.has_password) {
            co_return std::unexpected(upstream.failed("no password available"));
        }
        failure = co_await run(upstream, exchange);
        if (failure) {
            co_return std::unexpected(std::move(*failure));
        }
    }
    if (!anonymous) {
        co_return std::string(kAuthenticated);
    }
    // Whatever the backend says to RCPT is the client's answer: it is the first thing that is
    // relayed.
    log().set_action("sending RCPT TO to upstream");
    co_await upstream.send(*recipient);
    const std::optional<Reply> answer = co_await read_reply(upstream);
    if (!answer) {
        co_return std::unexpected(upstream.too_long());
    }
    co_return std::string();
}

}  // namespace postern::smtp
