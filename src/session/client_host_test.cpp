#include "session/client_host.h"

#include "net/dns_testing.h"
#include "net/testing.h"

namespace postern::session {
namespace {

using namespace std::chrono_literals;
using net::DnsServer;

class ClientHostTest : public testing::Test
{
protected:
    ClientHostTest()
    {
        settings_.resolver = server_.settings();
        settings_.resolver_timeout = 10s;
    }

    static net::Task<> ask(net::Resolver& resolver, const config::MailServer& settings,
                           const SocketAddress& client, std::string& host)
    {
        log::SessionLog log(log::Logger(), 1, "client", "server");
        host = co_await client_host(resolver, settings, client, log);
    }
    std::string host(const SocketAddress& client)
    {
        net::Resolver resolver(loop_, settings_.resolver, net::Resolver::Sources::dns);
        std::string host;
        net::run_to_the_end(loop_, ask(resolver, settings_, client, host));
        return host;
    }
    std::string host(const char* ip = "192.0.2.1")
    {
        return host(*SocketAddress::parse_ip(ip, 40000));
    }
    void has_name(const std::string& name)
    {
        server_.add("1.2.0.192.in-addr.arpa", DnsServer::kPtr, name);
    }

    net::Loop loop_;
    DnsServer server_{loop_};
    config::MailServer settings_;
};

TEST_F(ClientHostTest, ANameThatHasTheAddress)
{
    has_name("client.example.test");
    server_.add("client.example.test", DnsServer::kA, "192.0.2.9");
    server_.add("client.example.test", DnsServer::kA, "192.0.2.1");
    EXPECT_EQ(host(), "client.example.test");
}

TEST_F(ClientHostTest, AnIpv6Client)
{
    server_.add("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
                DnsServer::kPtr, "six.example.test");
    server_.add("six.example.test", DnsServer::kAaaa, "2001:db8::1");
    EXPECT_EQ(host("2001:db8::1"), "six.example.test");
}

TEST_F(ClientHostTest, WhoeverClaimsANameOfOthersHasNone)
{
    has_name("bank.example.test");
    server_.add("bank.example.test", DnsServer::kA, "192.0.2.9");
    EXPECT_EQ(host(), "[UNAVAILABLE]");
}

TEST_F(ClientHostTest, NoNameOrNoAddressIsUnavailable)
{
    EXPECT_EQ(host(), "[UNAVAILABLE]");
    has_name("nowhere.example.test");
    EXPECT_EQ(host(), "[UNAVAILABLE]");
}

TEST_F(ClientHostTest, NobodyKnowsNow)
{
    server_.fail_with(DnsServer::kServerFailure);
    EXPECT_EQ(host(), "[TEMPUNAVAIL]");
    server_.be_silent();
    settings_.resolver_timeout = 20ms;
    EXPECT_EQ(host(), "[TEMPUNAVAIL]");
}

// What is in a PTR record is up to whoever owns the address.
TEST_F(ClientHostTest, ANameThatWouldBreakALineIsNone)
{
    has_name("evil\r\nAuth-Server: 192.0.2.9");
    EXPECT_EQ(host(), "[TEMPUNAVAIL]");
    EXPECT_EQ(server_.questions("evil\r\nauth-server: 192.0.2.9", DnsServer::kA), 0u);
}

TEST_F(ClientHostTest, ANameThatNoHostCanHaveIsNone)
{
    for (const char* name : {"192.0.2.1", "-a.example.test", "a-.example.test", "a.-.test", "1"}) {
        DnsServer server(loop_);
        settings_.resolver = server.settings();
        server.add("1.2.0.192.in-addr.arpa", DnsServer::kPtr, name);
        server.add(name, DnsServer::kA, "192.0.2.1");
        EXPECT_EQ(host(), "[UNAVAILABLE]") << name;
    }
}

// The other kind of address may be what nobody knows: it is not the client's.
TEST_F(ClientHostTest, OnlyTheClientsKindOfAddressCounts)
{
    has_name("client.example.test");
    server_.add("client.example.test", DnsServer::kA, "192.0.2.1");
    server_.fail_with(DnsServer::kServerFailure, DnsServer::kAaaa);
    EXPECT_EQ(host(), "client.example.test");
    server_.fail_with(DnsServer::kServerFailure, DnsServer::kA);
    EXPECT_EQ(host(), "[TEMPUNAVAIL]");
}

TEST_F(ClientHostTest, WithoutAResolverNobodyIsAsked)
{
    has_name("client.example.test");
    settings_.resolver.configured = false;
    EXPECT_EQ(host(), "[UNAVAILABLE]");
    EXPECT_EQ(server_.questions("1.2.0.192.in-addr.arpa", DnsServer::kPtr), 0u);
}

TEST_F(ClientHostTest, AUnixClientHasNoAddressToLookUp)
{
    EXPECT_EQ(host(SocketAddress::unix_path("/tmp/x")), "[TEMPUNAVAIL]");
}

}  // namespace
}  // namespace postern::session
