#include "session/goodbye.h"

#include <cerrno>
#include <chrono>

namespace postern::session {

namespace {

constexpr std::chrono::seconds kGoodbyeLimit{2};
constexpr std::size_t kGoodbyeBytes = 1024 * 1024;

}  // namespace

net::Task<> say_goodbye(net::Stream& client, net::Deadline& deadline)
{
    client.shutdown_write();
    deadline.set(kGoodbyeLimit);
    for (std::size_t bytes = 0; bytes < kGoodbyeBytes;) {
        const net::Io io = client.read(client.loop().scratch());
        if (io.status == net::Io::Status::would_block) {
            net::StreamEvent event(client, deadline);
            if (!co_await event) {
                break;
            }
        } else if (io.status != net::Io::Status::done) {
            break;
        }
        bytes += io.bytes;
    }
}

void log_end(log::SessionLog& log, const net::Disconnected& end)
{
    switch (end.reason) {
    case net::Disconnected::Reason::timed_out:
        log.line(LogLevel::info, "client timed out{}", log::errno_text(ETIMEDOUT));
        break;
    case net::Disconnected::Reason::failed:
        log.write(LogLevel::info, end.failure());
        break;
    case net::Disconnected::Reason::closed:
        log.write(LogLevel::debug, "client closed connection");
        break;
    }
}

}  // namespace postern::session
