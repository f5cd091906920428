#include "listen/access.h"

#include <gtest/gtest.h>

namespace postern::listen {
namespace {

using Who = config::AccessRule::Who;

config::AccessRule rule(bool allow, const char* network)
{
    return {.allow = allow, .who = Who::network, .network = *Network::parse(network)};
}

bool allowed(const std::vector<config::AccessRule>& rules, const char* address)
{
    return is_allowed(rules, *SocketAddress::parse_ip(address, 4711));
}

TEST(Access, PeersOfAList)
{
    const SocketAddress client = *SocketAddress::parse_ip("192.0.2.7", 4711);
    const SocketAddress local = SocketAddress::unix_path("/client");
    const config::PeerRule network{.network = *Network::parse("192.0.2.0/24")};
    const config::PeerRule other{.network = *Network::parse("198.51.100.0/24")};
    const config::PeerRule unix_socket{.unix_socket = true, .network = {}};
    EXPECT_FALSE(is_among({}, client));
    EXPECT_TRUE(is_among({other, network}, client));
    EXPECT_FALSE(is_among({other, unix_socket}, client));
    EXPECT_FALSE(is_among({network, other}, local));
    EXPECT_TRUE(is_among({network, unix_socket}, local));
}

TEST(Access, NoRuleAllowsAll)
{
    EXPECT_TRUE(allowed({}, "192.0.2.1"));
}

TEST(Access, FirstMatchDecides)
{
    const std::vector rules = {rule(false, "10.1.0.0/16"), rule(true, "10.0.0.0/8"),
                               config::AccessRule{.allow = false, .who = Who::all, .network = {}}};
    EXPECT_FALSE(allowed(rules, "10.1.255.255"));
    EXPECT_TRUE(allowed(rules, "10.2.0.0"));
    EXPECT_TRUE(allowed(rules, "::ffff:10.2.0.0"));
    EXPECT_FALSE(allowed(rules, "11.0.0.0"));
    EXPECT_FALSE(allowed(rules, "2001:db8::1"));
}

TEST(Access, IPv6Networks)
{
    const std::vector rules = {rule(false, "2001:db8:8000::/33")};
    EXPECT_FALSE(allowed(rules, "2001:db8:8000::1"));
    EXPECT_TRUE(allowed(rules, "2001:db8:7fff:ffff::1"));
    EXPECT_TRUE(allowed(rules, "32.1.13.184"));  // the same first bytes, but IPv4
}

TEST(Access, UnixSocketsHaveTheirOwnRule)
{
    const auto client = SocketAddress::unix_path("/tmp/client");
    const config::AccessRule deny{.allow = false, .who = Who::unix_socket, .network = {}};
    EXPECT_FALSE(is_allowed({deny}, client));
    EXPECT_TRUE(is_allowed({rule(false, "0.0.0.0/0")}, client));
    EXPECT_TRUE(allowed({deny}, "127.0.0.1"));
}

}  // namespace
}  // namespace postern::listen
