#pragma once

#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

#include "base/descriptor.h"
#include "bench/poller.h"
#include "bench/sockets.h"

namespace postern::bench {

// Accepts on a port and gives each connection to `Make` (Descriptor), which is called for it.
template <typename Make>
class Acceptor final : public Watcher
{
public:
    Acceptor(Poller& poller, std::uint16_t port, Make make)
        : listener_(listen_on(port)), make_(std::move(make))
    {
        poller.add(listener_.number(), *this, EPOLLIN);
    }

    void on_ready(std::uint32_t) override
    {
        for (;;) {
            Descriptor accepted(
                accept4(listener_.number(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
            if (accepted.number() >= 0) {
                make_(std::move(accepted));
            } else if (errno == EAGAIN) {
                return;
            } else if (errno != ECONNABORTED && errno != EINTR) {
                throw std::system_error(errno, std::generic_category(), "accept4()");
            }
        }
    }

private:
    Descriptor listener_;
    Make make_;
};

}  // namespace postern::bench
