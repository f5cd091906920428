#include "session/goodbye.h"

#include <algorithm>
#include <cerrno>

namespace postern::session {

namespace {

// How long a client may take to read the last words and close.
constexpr std::chrono::seconds kGoodbyeLimit{2};
constexpr std::size_t kGoodbyeBytes = 1024 * 1024;

void was_closed_by_client(const log::SessionLog& log)
{
    if (log.record() != nullptr) {
        log.record()->closed_by = "client";
    }
}

}  // namespace

net::Task<> say_goodbye(net::Conversation& client)
{
    net::Stream& stream = client.stream();
    stream.shutdown_write();
    client.deadline().set(kGoodbyeLimit);
    for (std::size_t bytes = 0; bytes < kGoodbyeBytes;) {
        const net::Io io = stream.read(stream.loop().scratch());
        if (io.status == net::Io::Status::would_block) {
            net::StreamEvent event(stream, client.deadline());
            if (!co_await event) {
                break;
            }
        } else if (io.status != net::Io::Status::done) {
            break;
        }
        bytes += io.bytes;
    }
}

std::string_view log_end(const LoginEnd& why, const net::Conversation& client,
                         const protocol::Dialogue& dialogue,
                         std::chrono::milliseconds login_timeout, log::SessionLog& log)
{
    if (const auto* const too_much = std::get_if<net::SentTooMuch>(&why)) {
        log.line(LogLevel::info, "client sent more than {} bytes before its login",
                 too_much->bytes_most);
        log.set_result(log::Result::client_error);
        return dialogue.sent_too_much();
    }
    const auto& end = std::get<net::Disconnected>(why);
    switch (end.reason) {
    case net::Disconnected::Reason::timed_out:
        if (client.is_at_latest()) {
            log.line(LogLevel::info, "client has not logged in within {} ms",
                     login_timeout.count());
            log.set_result(log::Result::timed_out);
            return dialogue.login_timed_out();
        }
        log.line(LogLevel::info, "client timed out{}", log::errno_text(ETIMEDOUT));
        log.set_result(log::Result::timed_out);
        break;
    case net::Disconnected::Reason::failed:
        log.write(LogLevel::info, end.failure());
        was_closed_by_client(log);
        break;
    case net::Disconnected::Reason::closed:
        log.write(LogLevel::debug, "client closed connection");
        was_closed_by_client(log);
        break;
    }
    return {};
}

net::Task<> hold_back(net::Conversation& client, Delays delays, HeldAnswers& held,
                      const log::SessionLog& log)
{
    if (delays.ours.count() == 0 && delays.services.count() == 0) {
        co_return;
    }
    const HeldAnswers::Place place(held);
    const auto time = place ? std::max(delays.ours, delays.services) : delays.services;
    log.debug("client is answered after {} ms", time.count());
    net::Deadline pause(client.deadline().loop());
    pause.set(time);
    for (;;) {
        net::StreamEvent event(client.stream(), pause);
        if (!co_await event) {
            co_return;
        }
        if (client.has_left()) {
            throw net::Disconnected{net::Disconnected::Reason::closed};
        }
    }
}

}  // namespace postern::session
