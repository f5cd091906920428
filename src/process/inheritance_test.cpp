#include "process/inheritance.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

namespace postern::process {
namespace {

int listening_socket()
{
    const SocketAddress any = *SocketAddress::parse_ip("127.0.0.1", 0);
    const int descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(::bind(descriptor, any.data(), any.size()), 0);
    EXPECT_EQ(::listen(descriptor, 1), 0);
    return descriptor;
}

std::string error(const std::string& variable)
{
    ::setenv(kSocketsVariable, variable.c_str(), 1);
    const auto taken = take_inheritance();
    EXPECT_EQ(::getenv(kSocketsVariable), nullptr);
    return taken ? "" : taken.error();
}

TEST(Inheritance, WithoutOneThereIsNothing)
{
    const auto taken = take_inheritance();
    ASSERT_TRUE(taken);
    EXPECT_TRUE(taken->sockets.empty());
    EXPECT_EQ(taken->older, 0);
}

TEST(Inheritance, SocketsOfAnOlderPostern)
{
    const int first = listening_socket();
    const int second = listening_socket();
    ::setenv(kSocketsVariable, fmt::format("{};{};", first, second).c_str(), 1);
    const auto taken = take_inheritance();
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->older, ::getppid());
    ASSERT_EQ(taken->sockets.size(), 2u);
    EXPECT_EQ(taken->sockets[1].descriptor(), second);
    EXPECT_EQ(taken->sockets[1].address().ip_text(), "127.0.0.1");
    EXPECT_NE(taken->sockets[1].address().port(), 0);
    EXPECT_FALSE(taken->sockets[1].is_activated());
    // No program that we might start gets them, and accepting doesn't block.
    EXPECT_EQ(::fcntl(first, F_GETFD), FD_CLOEXEC);
    EXPECT_NE(::fcntl(first, F_GETFL) & O_NONBLOCK, 0);
}

TEST(Inheritance, ASocketOfTheServiceManagerStaysOne)
{
    const int first = listening_socket();
    const int second = listening_socket();
    ::setenv(kSocketsVariable, fmt::format("{}a;{};", first, second).c_str(), 1);
    const auto taken = take_inheritance();
    ASSERT_TRUE(taken);
    ASSERT_EQ(taken->sockets.size(), 2u);
    EXPECT_EQ(taken->sockets[0].descriptor(), first);
    EXPECT_TRUE(taken->sockets[0].is_activated());
    EXPECT_FALSE(taken->sockets[1].is_activated());
}

TEST(Inheritance, WhatIsNoListeningSocketIsRefused)
{
    EXPECT_EQ(error("a;"), "invalid POSTERN environment variable near \"a;\"");
    EXPECT_EQ(error("7"), "invalid POSTERN environment variable near \"7\"");
    EXPECT_EQ(error("x;"), "invalid POSTERN environment variable near \"x;\"");
    EXPECT_EQ(error("2147483648;"), "invalid POSTERN environment variable near \"2147483648;\"");
    EXPECT_EQ(error("1000000;"),
              "inherited descriptor 1000000: getsockopt(SO_ACCEPTCONN) failed (9: "
              "Bad file descriptor)");
    const int idle = ::socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(error(fmt::format("{};", idle)),
              fmt::format("inherited descriptor {} is not a listening socket", idle));
    ::close(idle);
}

TEST(Inheritance, WhatIsMeantForAnotherProcessIsLeftAlone)
{
    ::setenv("LISTEN_PID", "1", 1);
    ::setenv("LISTEN_FDS", "1", 1);
    const auto taken = take_inheritance();
    ASSERT_TRUE(taken);
    EXPECT_TRUE(taken->sockets.empty());
    EXPECT_EQ(::getenv("LISTEN_FDS"), nullptr);
}

}  // namespace
}  // namespace postern::process
