#include "session/session.h"

#include <fmt/compile.h>

#include <cerrno>
#include <optional>

#include "relay/relay.h"
#include "session/login.h"

namespace postern::session {

namespace {

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
    case relay::End::shut_down:
        return "shut down";
    }
    std::unreachable();
}

std::string words(relay::End end)
{
    switch (end) {
    case relay::End::timed_out:
        return "client timed out" + log::errno_text(ETIMEDOUT) + " while proxying";
    case relay::End::shut_down:
        return "shutdown timeout while proxying";
    default:
        return "proxied session done";
    }
}

// What follows NGINX's words is ours: how much went each way, and who ended it.
void log_end(const log::SessionLog& log, const relay::Result& result)
{
    if (!log.enabled(LogLevel::info)) {
        return;
    }
    const std::string tail =
        fmt::format(FMT_COMPILE(", bytes from/to client:{}/{}, {}"), result.bytes_from_client,
                    result.bytes_to_client, text(result.end));
    log.write_end(LogLevel::info, words(result.end), tail);
}

// With "ssl_lean". A stream that is not at rest yet does so later, and is not told of.
void let_go_of_tls_objects(net::Stream& stream, std::string_view peer, const log::SessionLog& log)
{
    stream.let_go_of_tls_objects();
    if (stream.tls() != nullptr && stream.tls()->is_lean()) {
        log.debug("SSL with {}: nothing but keys is kept", peer);
    }
}

// The longest part of a session, which may idle for days: this object and one small frame are all
// that it owns then.
struct Relayed {
    Seat seat;
    std::unique_ptr<limit::Admission::Places> places;
    log::SessionLog log;
    relay::Relay relay;
};

// Never inlined: the coroutine's frame would hold for days what this needs for a moment.
[[gnu::noinline]] void end(Relayed& session)
{
    log_end(session.log, session.relay.result());
    session.relay.close();  // before the seat is free
    session.log.debug("client and upstream connections closed");
}

net::Detached relay_to_the_end(std::unique_ptr<Relayed> session)
{
    while (session->relay.pump()) {
        relay::Relay::Pause pause = session->relay.pause();
        co_await pause;
    }
    end(*session);
}

}  // namespace

net::Task<> run(Arrival arrival, std::span<const Server> servers)
{
    std::unique_ptr<net::Stream> client = std::move(arrival.client);
    const Server& server = servers[arrival.endpoint.server];
    const std::string& listen_name = arrival.endpoint.name;
    log::SessionLog log(server.logger, arrival.number, arrival.address.ip_text(), listen_name);
    if (arrival.logs_everything) {
        log.log_everything();
    }
    if (log.enabled(LogLevel::info)) {
        const std::string peer = arrival.address.is_unix() ? "unix:" : arrival.address.text();
        log.logger().write_parts(LogLevel::info, {"client ", peer, " connected to ", listen_name},
                                 arrival.number);
    }
    std::optional<Mailbox> mailbox = co_await open_mailbox(*client, arrival, servers, log);
    if (!mailbox) {
        client.reset();  // before the seat is free
        log.debug("client connection closed");
        co_return;
    }
    let_go_of_tls_objects(*client, "client", log);
    let_go_of_tls_objects(*mailbox->backend, "upstream", log);
    relay_to_the_end(std::unique_ptr<Relayed>(new Relayed{
        std::move(arrival.seat), std::move(mailbox->places), std::move(log),
        relay::Relay(std::move(client), std::move(mailbox->backend), mailbox->idle_limit,
                     std::move(mailbox->from_client), std::move(mailbox->from_backend))}));
}

}  // namespace postern::session
