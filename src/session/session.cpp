#include "session/session.h"

#include <fmt/compile.h>

#include <new>
#include <optional>

#include "relay/relay.h"
#include "session/login.h"
#include "session/recording.h"

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
    case relay::End::out_of_memory:
        return "out of memory";
    }
    std::unreachable();
}

std::string_view words(relay::End end)
{
    switch (end) {
    case relay::End::timed_out:
        return "client timed out (110: Connection timed out) while proxying";
    case relay::End::shut_down:
        return "shutdown timeout while proxying";
    default:
        return "proxied session done";
    }
}

// What follows NGINX's words is ours: how much went each way, and who ended it. Needs no memory.
void log_end(const log::SessionLog& log, const relay::Result& result)
{
    if (!log.enabled(LogLevel::info)) {
        return;
    }
    fmt::memory_buffer tail;
    fmt::format_to(fmt::appender(tail), FMT_COMPILE(", bytes from/to client:{}/{}, {}"),
                   result.bytes_from_client, result.bytes_to_client, text(result.end));
    log.write_end(LogLevel::info, words(result.end), {tail.data(), tail.size()});
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
    relay::Relay relay;
    log::SessionLog log;  // last: it is not taken from its owner before there is a relay
};

// Never inlined: the coroutine's frame would hold for days what this needs for a moment.
[[gnu::noinline]] void end(Relayed& session) noexcept
{
    log_end(session.log, session.relay.result());
    try {
        write_end(session.log, session.relay.loop(), session.relay.result());
    } catch (const std::bad_alloc&) {
        session.log.write(LogLevel::crit, log::kOutOfMemory);
    }
    session.relay.close();  // before the seat is free
    if (session.log.enabled(LogLevel::debug)) {
        session.log.logger().write(LogLevel::debug, "client and upstream connections closed",
                                   session.log.number());
    }
}

void fail_without_memory(Relayed& session) noexcept
{
    session.log.set_action("proxying");
    session.log.write(LogLevel::crit, log::kOutOfMemory);
    session.relay.fail_without_memory();
}

// Takes the session over as it begins. Throws std::bad_alloc only before that.
net::Detached relay_to_the_end(std::unique_ptr<Relayed>&& caller)
{
    std::unique_ptr<Relayed> session = std::move(caller);
    try {
        while (session->relay.pump()) {
            relay::Relay::Pause pause = session->relay.pause();
            co_await pause;
        }
    } catch (const std::bad_alloc&) {
        fail_without_memory(*session);
    }
    end(*session);
}

[[gnu::noinline]] void begin_relay(Arrival& arrival, Mailbox& mailbox, log::SessionLog& log)
{
    write_login(log, arrival.client->loop());
    let_go_of_tls_objects(*arrival.client, "client", log);
    let_go_of_tls_objects(*mailbox.backend, "upstream", log);
    std::unique_ptr<Relayed> session(new Relayed{
        std::move(arrival.seat), std::move(mailbox.places),
        relay::Relay(std::move(arrival.client), std::move(mailbox.backend), mailbox.idle_limit,
                     std::move(mailbox.from_client), std::move(mailbox.from_backend)),
        std::move(log)});
    try {
        relay_to_the_end(std::move(session));
    } catch (const std::bad_alloc&) {
        fail_without_memory(*session);
        end(*session);
    }
}

// The log of a session, and its first line.
log::SessionLog greet_in_log(const Arrival& arrival, const log::Logger& logger)
{
    const std::string& listen_name = arrival.endpoint.name;
    log::SessionLog log(logger, arrival.number, arrival.address.ip_text(), listen_name.c_str());
    if (arrival.logs_everything) {
        log.log_everything();
    }
    if (log.enabled(LogLevel::info)) {
        const std::string peer = arrival.address.is_unix() ? "unix:" : arrival.address.text();
        log.logger().write_parts(LogLevel::info, {"client ", peer, " connected to ", listen_name},
                                 arrival.number);
    }
    record_arrival(log, arrival);
    return log;
}

}  // namespace

net::Task<> run(Arrival arrival, std::span<const Server> servers)
{
    const log::Logger& logger = servers[arrival.endpoint.server].logger;
    try {
        log::SessionLog log = greet_in_log(arrival, logger);
        std::optional<Mailbox> mailbox =
            co_await open_mailbox(*arrival.client, arrival, servers, log);
        if (mailbox) {
            begin_relay(arrival, *mailbox, log);
            co_return;
        }
        const net::Loop& loop = arrival.client->loop();
        arrival.client.reset();  // before the seat is free
        write_end(log, loop);
        log.debug("client connection closed");
    } catch (const std::bad_alloc&) {
        arrival.client.reset();
        logger.write(LogLevel::crit, log::kOutOfMemory, arrival.number);
    }
}

}  // namespace postern::session
