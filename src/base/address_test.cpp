#include "base/address.h"

#include <gtest/gtest.h>

#include <cstring>
#include <new>

namespace postern {
namespace {

TEST(SocketAddress, UnixPathsMayFillTheirPlace)
{
    const std::string path = "/" + std::string(106, 'x');
    // Memory that was used before must not shine through behind the path.
    alignas(SocketAddress) unsigned char memory[sizeof(SocketAddress)];
    std::memset(memory, 0xff, sizeof memory);
    auto* empty = new (memory) SocketAddress();
    EXPECT_EQ(empty->family(), AF_UNSPEC);
    *empty = SocketAddress::unix_path(path);
    EXPECT_EQ(empty->path(), path);

    sockaddr_un unterminated{};
    unterminated.sun_family = AF_UNIX;
    std::memset(unterminated.sun_path, 'x', sizeof unterminated.sun_path);
    const auto address =
        SocketAddress::from(reinterpret_cast<const sockaddr*>(&unterminated), sizeof unterminated);
    EXPECT_EQ(address.path(), std::string(sizeof unterminated.sun_path, 'x'));
}

TEST(SocketAddress, IsWrittenAsItIsRead)
{
    for (const char* ip : {"0.0.0.0", "1.2.3.4", "10.20.30.40", "192.0.2.199", "255.255.255.255"}) {
        const auto address = SocketAddress::parse_ip(ip, 65535);
        ASSERT_TRUE(address) << ip;
        EXPECT_EQ(address->ip_text(), ip);
        EXPECT_EQ(address->text(), std::string(ip) + ":65535");
    }
    EXPECT_EQ(SocketAddress::parse_ip("2001:db8::1", 1)->text(), "[2001:db8::1]:1");
}

TEST(SocketAddress, Ipv6HasNoScopeOrFlowUnlessGiven)
{
    alignas(SocketAddress) unsigned char memory[sizeof(SocketAddress)];
    std::memset(memory, 0xff, sizeof memory);
    const auto* empty = new (memory) SocketAddress();
    EXPECT_EQ(empty->ipv6().sin6_scope_id, 0u);
    const auto address = SocketAddress::parse_ip("::1", 143);
    ASSERT_TRUE(address);
    EXPECT_EQ(address->ipv6().sin6_scope_id, 0u);
    EXPECT_EQ(address->ipv6().sin6_flowinfo, 0u);
    EXPECT_EQ(address->text(), "[::1]:143");
}

}  // namespace
}  // namespace postern
