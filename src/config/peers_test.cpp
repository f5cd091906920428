// Addresses of peers, in "debug_connection".
#include "config/testing.h"

namespace postern::config {
namespace {

using Strings = std::vector<std::string>;

class PeersTest : public ConfigTest
{
protected:
    std::vector<PeerRule> peers(const std::string& text)
    {
        return settings("events { " + text + " }").events.debug_connections;
    }
};

SocketAddress ip(const char* text)
{
    return *SocketAddress::parse_ip(text, 25);
}

TEST_F(PeersTest, NobodyUnlessWritten)
{
    EXPECT_TRUE(peers("").empty());
}

TEST_F(PeersTest, AddUp)
{
    const auto read = peers(
        "debug_connection 192.0.2.1; debug_connection 10.0.0.0/8; debug_connection 2001:db8::/32;"
        "debug_connection unix:; debug_connection 192.0.2.1;");
    ASSERT_EQ(read.size(), 5u);
    EXPECT_TRUE(read[0].network.contains(ip("192.0.2.1")));
    EXPECT_FALSE(read[0].network.contains(ip("192.0.2.2")));
    EXPECT_TRUE(read[1].network.contains(ip("10.255.255.255")));
    EXPECT_FALSE(read[1].network.contains(ip("11.0.0.0")));
    EXPECT_TRUE(read[2].network.contains(ip("2001:db8:ffff::1")));
    EXPECT_FALSE(read[2].unix_socket);
    EXPECT_TRUE(read[3].unix_socket);
    EXPECT_EQ(warnings_, Strings{});
}

TEST_F(PeersTest, NamesStandForTheirAddresses)
{
    const auto read = peers("debug_connection localhost;");
    ASSERT_FALSE(read.empty());
    EXPECT_TRUE(read[0].network.contains(ip("127.0.0.1")) || read[0].network.contains(ip("::1")));
}

TEST_F(PeersTest, BitsBehindThePrefixAreWarnedOf)
{
    EXPECT_TRUE(peers("debug_connection 10.1.2.3/8;")[0].network.contains(ip("10.9.9.9")));
    EXPECT_EQ(warnings_,
              Strings{"warn: low address bits of 10.1.2.3/8 are meaningless in t.conf:1"});
}

TEST_F(PeersTest, WhatIsNoPeer)
{
    for (const std::string bad : {"10.1.2.3/40", "[::1]", "unix:/tmp/x", "no-such-host.invalid",
                                  "localhost:25", "localhost/8", "256.0.0.1", "a/b", "*"}) {
        EXPECT_EQ(error("events { debug_connection " + bad + "; }"),
                  "host not found in debug_connection \"" + bad +
                      "\" (an address, ADDRESS/BITS, unix: or a host name is wanted) in t.conf:1");
    }
    EXPECT_EQ(error("debug_connection ::1;"),
              "\"debug_connection\" directive is not allowed here (it belongs in \"events\") in "
              "t.conf:1");
}

}  // namespace
}  // namespace postern::config
