#include "backend/connect.h"

#include <cerrno>
#include <string>

namespace postern::backend {

namespace {

void log_failure(log::SessionLog& log, const SocketAddress& address, int error, bool timed_out)
{
    if (timed_out) {
        log.line(LogLevel::info, "upstream timed out{}", log::errno_text(ETIMEDOUT));
        return;
    }
    const bool common = error == ECONNREFUSED || error == ECONNRESET || error == ETIMEDOUT ||
                        error == EHOSTUNREACH || error == ENETUNREACH;
    log.line(common ? LogLevel::error : LogLevel::crit, "connect() to {} failed{}", address.text(),
             log::errno_text(error));
}

}  // namespace

net::Task<std::unique_ptr<net::Stream>> connect(net::Resolver& resolver, std::string_view host,
                                                std::uint16_t port, net::Deadline& deadline,
                                                log::SessionLog& log)
{
    log.set_action("connecting to upstream");
    const bool is_unix = host.starts_with("unix:");
    log.set_upstream(is_unix ? std::string(host) : fmt::format("{}:{}", host, port));
    net::Resolver::Addresses addresses;
    if (is_unix) {
        addresses.push_back(SocketAddress::unix_path(host.substr(5)));
    } else {
        std::string name(host);
        auto found = co_await resolver.addresses(std::move(name), port, deadline);
        if (!found) {
            log.line(LogLevel::error, "\"{}\" could not be resolved ({})", host,
                     found.error().text());
            co_return nullptr;
        }
        addresses = std::move(*found);
    }
    for (const SocketAddress& address : addresses) {
        auto stream = co_await net::Stream::connect(deadline.loop(), address, deadline);
        if (stream) {
            co_return std::move(*stream);
        }
        log_failure(log, address, stream.error(), deadline.expired());
        if (deadline.expired()) {
            break;
        }
    }
    co_return nullptr;
}

}  // namespace postern::backend
