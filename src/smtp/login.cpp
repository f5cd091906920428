// The login at the backend: EHLO, XCLIENT, then AUTH PLAIN or the client's own MAIL and RCPT.
#include <utility>
#include <vector>

#include "smtp/dialogue.h"

namespace postern::smtp {

namespace {

constexpr unsigned kAuthenticationSucceeded = 235;  // RFC 4954 section 6

// A command and the reply that lets us go on.
struct Exchange {
    const char* action;
    Secret command;  // with CRLF; empty: nothing is sent, the greeting is waited for
    unsigned expected;
    unsigned expected_too = 0;
};

// Nothing on success, else what the client is told.
net::Task<std::optional<std::string>> run(protocol::Upstream& upstream, const Exchange& exchange)
{
    if (!exchange.command.empty()) {
        co_await upstream.send(exchange.command.reveal());
    }
    for (;;) {
        const auto reply = parse_reply(upstream.unread());
        if (!reply) {
            const bool more = co_await upstream.read_more();
            if (!more) {
                co_return upstream.too_long();
            }
            continue;
        }
        if (reply->code != exchange.expected &&
            (exchange.expected_too == 0 || reply->code != exchange.expected_too)) {
            co_return upstream.unexpected_reply();
        }
        upstream.consume(reply->consumed);
        co_return std::nullopt;
    }
}

}  // namespace

net::Task<protocol::LoginResult> Dialogue::log_in(net::Conversation& backend,
                                                  const auth::Claim& claim,
                                                  const auth::Mailbox& mailbox)
{
    protocol::Upstream upstream(backend, settings(), log(), kInternalError);
    const bool anonymous = claim.method == auth::Method::none;
    const bool authenticates = settings().proxy_smtp_auth && !anonymous;

    const auto hello = hello_command(settings().xclient || extended_, settings().server_name);
    const auto client_hello = hello_command(extended_, helo_);
    auto auth_plain = auth_plain_command(mailbox.login, mailbox.password.reveal());
    const auto mail = kept_command(claim.smtp_from);
    const auto recipient = kept_command(claim.smtp_to);
    if (!hello || !client_hello || !auth_plain || !mail || !recipient) {
        co_return std::unexpected(upstream.failed("data for upstream holds CR, LF or NUL"));
    }

    std::vector<Exchange> exchanges;
    exchanges.push_back({"reading response from upstream", Secret(), 220});
    exchanges.push_back({"sending HELO/EHLO to upstream", Secret(*hello), 250});
    if (settings().xclient) {
        const std::string xclient =
            xclient_command(peer().client_address, settings().proxy_smtp_auth ? "" : mailbox.login,
                            peer().client_host);
        exchanges.push_back({"sending XCLIENT to upstream", Secret(xclient), 220, 250});
        if (!helo_.empty()) {
            exchanges.push_back(
                {"sending client HELO/EHLO to upstream", Secret(*client_hello), 250});
        }
    }
    if (authenticates) {
        exchanges.push_back(
            {"sending AUTH to upstream", std::move(*auth_plain), kAuthenticationSucceeded});
    }
    if (anonymous) {
        exchanges.push_back({"sending MAIL FROM to upstream", Secret(*mail), 250});
    }
    for (const Exchange& exchange : exchanges) {
        log().set_action(exchange.action);
        if (exchange.expected == kAuthenticationSucceeded && !mailbox.has_password) {
            co_return std::unexpected(upstream.failed("no password available"));
        }
        auto failure = co_await run(upstream, exchange);
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
    while (!parse_reply(upstream.unread())) {
        const bool more = co_await upstream.read_more();
        if (!more) {
            co_return std::unexpected(upstream.too_long());
        }
    }
    co_return std::string();
}

}  // namespace postern::smtp
