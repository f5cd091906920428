#include "session/session.h"

#include <cerrno>
#include <optional>

#include "backend/connect.h"
#include "base/text.h"
#include "listen/access.h"
#include "relay/relay.h"
#include "session/client_host.h"
#include "session/dialogues.h"

namespace postern::session {

namespace {

// How long a client may take to read the last words and close.
constexpr std::chrono::seconds kGoodbyeLimit{2};
constexpr std::size_t kGoodbyeBytes = 1024 * 1024;

// An open mailbox, and what both sides have said ahead of the relay.
struct Mailbox {
    std::unique_ptr<net::Stream> backend;
    std::string from_client;
    std::string from_backend;
};

// The part of a session that ends with the login, and with it its memory.
class Login
{
public:
    Login(net::Stream& client, const Arrival& arrival, const Server& server, log::SessionLog& log);

    // Talks until a mailbox is open, or one side has had enough.
    net::Task<std::optional<Mailbox>> run();

private:
    net::Task<std::optional<Mailbox>> talk();
    net::Task<std::optional<Mailbox>> open(const auth::Claim& claim, const auth::Mailbox& mailbox);
    net::Task<std::optional<std::string>> log_in(net::Conversation& backend,
                                                 const auth::Claim& claim,
                                                 const auth::Mailbox& mailbox);
    net::Task<bool> refuse(const auth::Refusal& refusal);
    net::Task<> say_goodbye();
    void log_end(const net::Disconnected& end);

    const Server& server_;
    const config::MailServer& settings_;
    log::SessionLog& log_;
    net::Deadline deadline_;
    net::Conversation client_;
    auth::Peer peer_;
    std::unique_ptr<protocol::Dialogue> dialogue_;
};

std::size_t client_buffer(const config::MailServer& settings, config::Protocol protocol)
{
    switch (protocol) {
    case config::Protocol::imap:
        return settings.imap_client_buffer;
    case config::Protocol::pop3:
        return settings.pop3_client_buffer;
    case config::Protocol::smtp:
        return settings.smtp_client_buffer;
    }
    std::unreachable();
}

Login::Login(net::Stream& client, const Arrival& arrival, const Server& server,
             log::SessionLog& log)
    : server_(server),
      settings_(server.settings),
      log_(log),
      deadline_(client.loop()),
      client_(client, deadline_, client_buffer(server.settings, arrival.protocol))
{
    peer_.protocol = arrival.protocol;
    peer_.client_address = arrival.address;
    peer_.client_ip = arrival.address.ip_text();
    dialogue_ = make_dialogue(arrival.protocol, protocol::Context{client_, settings_, log_, peer_});
}

net::Task<std::optional<Mailbox>> Login::run()
{
    std::optional<net::Disconnected> end;
    try {
        std::optional<Mailbox> mailbox = co_await talk();
        if (!mailbox) {
            co_await say_goodbye();
        }
        co_return std::move(mailbox);
    } catch (const net::Disconnected& disconnected) {
        end = disconnected;
    }
    log_end(*end);
    co_return std::nullopt;
}

net::Task<std::optional<Mailbox>> Login::talk()
{
    deadline_.set(settings_.timeout);
    if (!listen::is_allowed(settings_.access, peer_.client_address)) {
        log_.write(LogLevel::error, "access forbidden by rule");
        co_await client_.write(dialogue_->access_denied());
        co_return std::nullopt;
    }
    if (peer_.protocol == config::Protocol::smtp) {
        peer_.client_host =
            co_await client_host(server_.client_resolver, settings_, peer_.client_address, log_);
    }
    const bool welcome = co_await dialogue_->greet();
    if (!welcome) {
        co_return std::nullopt;
    }
    deadline_.set(settings_.timeout);
    for (;;) {
        const std::optional<auth::Claim> claim = co_await dialogue_->authorize();
        if (!claim) {
            co_return std::nullopt;
        }
        log_.set_login(claim->login);
        deadline_.clear();  // who is asked now has a limit of its own
        const auth::Verdict verdict = co_await server_.authenticator.check(*claim, peer_, log_);
        ++peer_.attempt;
        deadline_.set(settings_.timeout);
        if (const auto* mailbox = std::get_if<auth::Mailbox>(&verdict)) {
            log_.set_login(mailbox->login);
            std::optional<Mailbox> opened = co_await open(*claim, *mailbox);
            co_return std::move(opened);
        }
        if (std::holds_alternative<auth::Failure>(verdict)) {
            co_await client_.write(dialogue_->internal_error());
            co_return std::nullopt;
        }
        const bool may_retry = co_await refuse(std::get<auth::Refusal>(verdict));
        if (!may_retry) {
            co_return std::nullopt;
        }
    }
}

// False: the client may not try again.
net::Task<bool> Login::refuse(const auth::Refusal& refusal)
{
    log_.line(LogLevel::info, "client login failed: \"{}\"", escape_for_log(refusal.text));
    log_.set_login("");
    if (refusal.wait.count() > 0) {
        net::Deadline pause(deadline_.loop());
        pause.set(refusal.wait);
        co_await pause;
        deadline_.set(settings_.timeout);
    }
    co_await dialogue_->refuse(refusal);
    co_return refusal.wait.count() > 0;
}

net::Task<std::optional<Mailbox>> Login::open(const auth::Claim& claim,
                                              const auth::Mailbox& mailbox)
{
    Mailbox opened;
    opened.backend =
        co_await backend::connect(server_.resolver, mailbox.host, mailbox.port, deadline_, log_);
    if (!opened.backend) {
        deadline_.set(settings_.timeout);
        co_await client_.write(dialogue_->internal_error());
        co_return std::nullopt;
    }
    net::Conversation backend(*opened.backend, deadline_, settings_.proxy_buffer);
    const std::optional<std::string> welcome = co_await log_in(backend, claim, mailbox);
    if (!welcome) {
        co_return std::nullopt;
    }
    log_.set_action("");
    log_.write_plain(LogLevel::info, "client logged in");
    opened.from_client = client_.unread();
    opened.from_backend = *welcome;
    opened.from_backend += backend.unread();
    co_return std::move(opened);
}

// What the client is told before the relay begins; nothing if the login failed, and it was told
// that.
net::Task<std::optional<std::string>> Login::log_in(net::Conversation& backend,
                                                    const auth::Claim& claim,
                                                    const auth::Mailbox& mailbox)
{
    std::string reply(dialogue_->internal_error());
    std::optional<net::Disconnected> end;
    try {
        protocol::LoginResult result = co_await dialogue_->log_in(backend, claim, mailbox);
        if (result) {
            co_return std::move(*result);
        }
        reply = std::move(result.error());
    } catch (const net::Disconnected& disconnected) {
        end = disconnected;
    }
    if (end) {
        switch (end->reason) {
        case net::Disconnected::Reason::timed_out:
            log_.line(LogLevel::info, "upstream timed out{}", log::errno_text(ETIMEDOUT));
            break;
        case net::Disconnected::Reason::closed:
            log_.write(LogLevel::error, "upstream closed connection before login was complete");
            break;
        case net::Disconnected::Reason::failed:
            log_.line(LogLevel::error, "recv() or send() to upstream failed{}",
                      log::errno_text(end->error));
            break;
        }
    }
    deadline_.set(settings_.timeout);
    co_await client_.write(reply);
    co_return std::nullopt;
}

// The last words must arrive: a socket that is closed with unread input resets the connection, and
// they may be lost.
net::Task<> Login::say_goodbye()
{
    client_.stream().shutdown_write();
    deadline_.set(kGoodbyeLimit);
    for (std::size_t bytes = 0; bytes < kGoodbyeBytes;) {
        const net::Io io = client_.stream().read(client_.stream().loop().scratch());
        if (io.status == net::Io::Status::would_block) {
            net::StreamEvent event(client_.stream(), deadline_);
            if (!co_await event) {
                break;
            }
        } else if (io.status != net::Io::Status::done) {
            break;
        }
        bytes += io.bytes;
    }
}

// A client that just leaves before it has logged in is no news.
void Login::log_end(const net::Disconnected& end)
{
    switch (end.reason) {
    case net::Disconnected::Reason::timed_out:
        log_.line(LogLevel::info, "client timed out{}", log::errno_text(ETIMEDOUT));
        break;
    case net::Disconnected::Reason::failed:
        log_.line(LogLevel::info, "recv() or send() failed{}", log::errno_text(end.error));
        break;
    case net::Disconnected::Reason::closed:
        log_.write(LogLevel::debug, "client closed connection");
        break;
    }
}

// In a frame of its own, so that nothing of the login outlives it.
net::Task<std::optional<Mailbox>> open_mailbox(net::Stream& client, const Arrival& arrival,
                                               const Server& server, log::SessionLog& log)
{
    Login login(client, arrival, server, log);
    std::optional<Mailbox> mailbox = co_await login.run();
    co_return std::move(mailbox);
}

std::string_view text(relay::End end)
{
    switch (end) {
    case relay::End::closed_by_client:
        return "closed by client";
    case relay::End::closed_by_upstream:
        return "closed by upstream";
    case relay::End::client_failed:
        return "client connection lost";
    case relay::End::upstream_failed:
        return "upstream connection lost";
    case relay::End::timed_out:
        return "timed out";
    }
    std::unreachable();
}

// What follows NGINX's words is ours: how much went each way, and who ended it.
void log_end(const log::SessionLog& log, const relay::Result& result)
{
    if (!log.enabled(LogLevel::info)) {
        return;
    }
    const std::string what =
        result.end == relay::End::timed_out
            ? fmt::format("client timed out{} while proxying", log::errno_text(ETIMEDOUT))
            : std::string("proxied session done");
    log.logger().write(
        LogLevel::info,
        fmt::format("{}{}, bytes from/to client:{}/{}, {}", what, log.suffix(),
                    result.bytes_from_client, result.bytes_to_client, text(result.end)),
        log.number());
}

// The longest part of a session: it may idle for days, so its frame holds no more than it needs.
net::Task<> relay_to_the_end(Seat seat, std::unique_ptr<net::Stream> client,
                             std::unique_ptr<net::Stream> backend, net::Task<relay::Result> relayed,
                             std::unique_ptr<log::SessionLog> log)
{
    const relay::Result result = co_await relayed;
    log_end(*log, result);
    // Both connections are closed before the seat is free.
    client.reset();
    backend.reset();
    seat.reset();
}

}  // namespace

net::Task<> run(Arrival arrival, const Server& server)
{
    std::unique_ptr<net::Stream> client = std::move(arrival.client);
    auto log = std::make_unique<log::SessionLog>(server.logger, arrival.number,
                                                 arrival.address.ip_text(), arrival.listen_name);
    if (log->enabled(LogLevel::info)) {
        const std::string peer = arrival.address.is_unix() ? "unix:" : arrival.address.text();
        server.logger.write(LogLevel::info,
                            fmt::format("client {} connected to {}", peer, arrival.listen_name),
                            arrival.number);
    }
    std::optional<Mailbox> mailbox = co_await open_mailbox(*client, arrival, server, *log);
    if (!mailbox) {
        client.reset();  // before the seat is free
        co_return;
    }
    auto relayed = relay::run(*client, *mailbox->backend, server.settings.proxy_timeout,
                              std::move(mailbox->from_client), std::move(mailbox->from_backend));
    net::spawn(relay_to_the_end(std::move(arrival.seat), std::move(client),
                                std::move(mailbox->backend), std::move(relayed), std::move(log)));
}

}  // namespace postern::session
