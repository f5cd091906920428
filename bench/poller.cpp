#include "bench/poller.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace postern::bench {

namespace {

[[noreturn]] void fail(const char* what)
{
    throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

Poller::Poller() : epoll_(epoll_create1(EPOLL_CLOEXEC))
{
    if (epoll_ < 0) {
        fail("epoll_create1()");
    }
}

Poller::~Poller()
{
    close(epoll_);
}

void Poller::add(int descriptor, Watcher& watcher, std::uint32_t events)
{
    epoll_event event{.events = events | EPOLLET, .data = {.ptr = &watcher}};
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0) {
        fail("epoll_ctl()");
    }
}

void Poller::modify(int descriptor, Watcher& watcher, std::uint32_t events)
{
    epoll_event event{.events = events | EPOLLET, .data = {.ptr = &watcher}};
    if (epoll_ctl(epoll_, EPOLL_CTL_MOD, descriptor, &event) != 0) {
        fail("epoll_ctl()");
    }
}

int Poller::wait(Clock::duration longest)
{
    int timeout_ms = -1;
    if (longest != Clock::duration::max()) {
        const auto whole = std::chrono::ceil<std::chrono::milliseconds>(longest).count();
        timeout_ms = static_cast<int>(std::clamp<decltype(whole)>(whole, 0, 60'000));
    }
    const int count =
        epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), timeout_ms);
    if (count < 0 && errno != EINTR) {
        fail("epoll_wait()");
    }
    for (int i = 0; i < count; ++i) {
        static_cast<Watcher*>(events_[i].data.ptr)->on_ready(events_[i].events);
    }
    return std::max(count, 0);
}

}  // namespace postern::bench
