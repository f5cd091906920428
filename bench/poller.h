#pragma once

#include <sys/epoll.h>

#include <array>
#include <chrono>
#include <cstdint>

namespace postern::bench {

using Clock = std::chrono::steady_clock;

// Something with a descriptor that a poller watches.
class Watcher
{
public:
    // `events` as epoll reports them. May come once too often after the descriptor has been changed
    // for another one: who reads it then finds nothing.
    virtual void on_ready(std::uint32_t events) = 0;

protected:
    virtual ~Watcher() = default;
};

// Edge-triggered epoll and no more than that. What measures Postern's event loop does not run on
// it.
class Poller
{
public:
    Poller();
    ~Poller();
    Poller(const Poller&) = delete;
    Poller& operator=(const Poller&) = delete;

    // Watched until it is closed.
    void add(int descriptor, Watcher& watcher, std::uint32_t events);
    void modify(int descriptor, Watcher& watcher, std::uint32_t events);

    // Waits for events, at most so long (none: for ever), and has them handled. How many there
    // were.
    int wait(Clock::duration longest = Clock::duration::max());

private:
    int epoll_;
    std::array<epoll_event, 256> events_;
};

}  // namespace postern::bench
