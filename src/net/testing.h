// For tests: real sockets, and a loop that runs until a task has ended.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>

#include "net/stream.h"

namespace postern::net {

// Runs the loop until the task has ended.
inline void run_to_the_end(Loop& loop, Task<> task)
{
    const auto last = [](Loop& running, Task<> first) -> Task<> {
        co_await first;
        running.stop();
    };
    spawn(last(loop, std::move(task)));
    loop.run();
}

// A stream and the peer's end of it, a plain descriptor.
struct Connected {
    std::unique_ptr<Stream> stream;
    int peer = -1;

    Connected() = default;
    Connected(Connected&& other) noexcept
        : stream(std::move(other.stream)), peer(std::exchange(other.peer, -1))
    {
    }
    ~Connected() { close_peer(); }

    void say(std::string_view text) const
    {
        ASSERT_EQ(::send(peer, text.data(), text.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(text.size()));
    }
    // What has arrived at the peer, at most `limit` bytes; empty: nothing, or the end.
    std::string heard(std::size_t limit = 65536) const
    {
        std::string text(limit, '\0');
        const ssize_t size = ::recv(peer, text.data(), text.size(), MSG_DONTWAIT);
        text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
        return text;
    }
    bool peer_sees_the_end() const
    {
        char byte;
        return ::recv(peer, &byte, 1, MSG_DONTWAIT) == 0;
    }
    void close_peer()
    {
        if (peer >= 0) {
            ::close(std::exchange(peer, -1));
        }
    }
};

// Over TCP on loopback, as sessions have it.
inline Connected connected(Loop& loop)
{
    sockaddr_in address{
        .sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    socklen_t size = sizeof address;
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener, 1), 0);
    EXPECT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
    Connected result;
    result.peer = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(result.peer, reinterpret_cast<sockaddr*>(&address), size), 0);
    const int accepted = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ::close(listener);
    result.stream = std::make_unique<Stream>(loop, accepted);
    return result;
}

}  // namespace postern::net
