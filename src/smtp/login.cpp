// The login at the backend: STARTTLS if that is wanted, EHLO, XCLIENT, then AUTH PLAIN or the
// client's own MAIL and RCPT.
#include <expected>
#include <utility>
#include <vector>

#include "base/line.h"

#include "smtp/dialogue.h"
#include "smtp/xclient.h"

namespace postern::smtp {

namespace {

// RFC 5321 section 4.2.3
constexpr unsigned kReady = 220;
constexpr unsigned kOkCode = 250;
constexpr unsigned kAuthenticationSucceeded = 235;  // RFC 4954 section 6
constexpr std::string_view kWrongCredentials = "535";

// A command and the reply that lets us go on.
struct Exchange {
    const char* action;
    Secret command;  // with CRLF; empty: nothing is sent, its reply comes all the same
    unsigned expected;
    unsigned expected_too = 0;
};

// RFC 2920: the commands go with the first of them, and each reply is looked at as ever. Only the
// last one may be EHLO, and nothing here may depend on a reply.
void send_together(std::vector<Exchange>& exchanges)
{
    std::string commands;
    for (Exchange& exchange : exchanges) {
        commands += exchange.command.reveal();
        exchange.command.clear();
    }
    exchanges.front().command = Secret(commands);
}

// Who the client is: XCLIENT, and what it said itself. `extensions` is the reply to our EHLO.
std::vector<Exchange> introduction(const ClientFacts& facts, const std::string& client_hello,
                                   std::string_view extensions)
{
    std::vector<Exchange> exchanges;
    for (const std::string& command : xclient_commands(facts, extension(extensions, "XCLIENT"))) {
        exchanges.push_back({"sending XCLIENT to upstream", Secret(command), kReady, kOkCode});
    }
    if (!facts.helo.empty()) {
        exchanges.push_back(
            {"sending client HELO/EHLO to upstream", Secret(client_hello), kOkCode});
    }
    if (extension(extensions, "PIPELINING")) {
        send_together(exchanges);
    }
    return exchanges;
}

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

// The reply that was expected, or what the client is told instead.
net::Task<std::expected<std::string, std::string>> ask(protocol::Upstream& upstream,
                                                       const Exchange& exchange)
{
    if (!exchange.command.empty()) {
        co_await upstream.send(exchange.command.reveal());
    }
    const std::optional<Reply> reply = co_await read_reply(upstream);
    if (!reply) {
        co_return std::unexpected(upstream.too_long());
    }
    if (reply->code != exchange.expected &&
        (exchange.expected_too == 0 || reply->code != exchange.expected_too)) {
        co_return std::unexpected(upstream.unexpected_reply(reply->consumed));
    }
    std::string text(reply->text);
    upstream.consume(reply->consumed);
    co_return std::move(text);
}

// RFC 3207. What the backend's EHLO says before TLS is used for nothing but to see whether there is
// TLS: it is asked anew after that (section 4.2). Nothing on success, else what the client is told.
net::Task<std::optional<std::string>> start_tls(protocol::Upstream& upstream, const Exchange& hello)
{
    auto reply = co_await ask(upstream, hello);
    if (!reply) {
        co_return std::move(reply.error());
    }
    if (!extension(*reply, "STARTTLS")) {
        co_return upstream.failed("upstream does not offer STARTTLS");
    }
    auto failure = co_await upstream.ask_for_tls(kStartTlsCommand);
    if (failure) {
        co_return std::move(failure);
    }
    const Exchange agreement{"", Secret(), kReady};
    reply = co_await ask(upstream, agreement);
    if (!reply) {
        co_return std::move(reply.error());
    }
    failure = co_await upstream.start_tls();
    co_return std::move(failure);
}

// The backend's greeting, TLS if that is wanted, and our EHLO or HELO. The reply to that, or what
// the client is told instead.
net::Task<std::expected<std::string, std::string>> say_hello(protocol::Upstream& upstream,
                                                             const Exchange& tls_hello,
                                                             const Exchange& hello,
                                                             log::SessionLog& log)
{
    const Exchange greeting{"", Secret(), kReady};
    auto reply = co_await ask(upstream, greeting);
    if (!reply) {
        co_return std::move(reply);
    }
    if (upstream.wants_starttls()) {
        log.set_action(tls_hello.action);
        auto failure = co_await start_tls(upstream, tls_hello);
        if (failure) {
            co_return std::unexpected(std::move(*failure));
        }
    }
    log.set_action(hello.action);
    reply = co_await ask(upstream, hello);
    co_return std::move(reply);
}

}  // namespace

net::Task<protocol::LoginResult> Dialogue::log_in(backend::Connection& backend,
                                                  const auth::Claim& claim,
                                                  const auth::Mailbox& mailbox)
{
    protocol::Upstream upstream(backend, claim, mailbox, settings(), log(), kInternalError);
    const bool anonymous = claim.method == auth::Method::none;
    const bool authenticates = settings().proxy_smtp_auth && !anonymous;

    const auto tls_hello = hello_command(true, settings().server_name);
    const auto hello = hello_command(settings().xclient || extended_, settings().server_name);
    const auto client_hello = hello_command(extended_, helo_);
    const auto mail = kept_command(claim.smtp_from);
    const auto recipient = kept_command(claim.smtp_to);
    if (!tls_hello || !hello || !client_hello || !mail || !recipient ||
        !fits_on_a_line(mailbox.login) || !fits_on_a_line(mailbox.password.reveal())) {
        co_return std::unexpected(upstream.failed("data for upstream holds CR, LF or NUL"));
    }

    const Exchange tls_exchange{"sending HELO/EHLO to upstream", Secret(*tls_hello), kOkCode};
    const Exchange own_hello{"sending HELO/EHLO to upstream", Secret(*hello), kOkCode};
    auto reply = co_await say_hello(upstream, tls_exchange, own_hello, log());
    if (!reply) {
        co_return std::unexpected(std::move(reply.error()));
    }
    std::vector<Exchange> exchanges;
    if (settings().xclient) {
        const ClientFacts facts{.address = peer().client_address,
                                .listener = client().stream().local_address(),
                                .login = settings().proxy_smtp_auth ? "" : mailbox.login,
                                .host = peer().client_host,
                                .helo = helo_,
                                .extended = extended_};
        exchanges = introduction(facts, *client_hello, *reply);
    }
    if (authenticates) {
        auto auth_plain = auth_plain_command(mailbox.login, mailbox.password.reveal());
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
        reply = co_await ask(upstream, exchange);
        if (!reply) {
            protocol::LoginFailure failure(std::move(reply.error()));
            failure.is_wrong = exchange.expected == kAuthenticationSucceeded &&
                               upstream.unread().starts_with(kWrongCredentials);
            co_return std::unexpected(std::move(failure));
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
