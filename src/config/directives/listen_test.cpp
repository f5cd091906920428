#include "config/directives/listen.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/testing.h"

namespace postern::config {
namespace {

class ListenTest : public ConfigTest
{
protected:
    // All addresses of one "listen".
    std::vector<std::string> addresses(std::string_view arguments)
    {
        std::vector<std::string> result;
        for (const Listen& listen : listens(arguments)) {
            result.push_back(listen.address.text());
        }
        return result;
    }

    Listen first(std::string_view arguments)
    {
        auto all = listens(arguments);
        return all.empty() ? Listen{} : all.front();
    }

    std::vector<Listen> listens(std::string_view arguments)
    {
        const Settings result = settings(text(arguments));
        return result.servers.empty() ? std::vector<Listen>{} : result.servers[0].listens;
    }

    std::string listen_error(std::string_view arguments)
    {
        const std::string whole = error(text(arguments));
        return whole.substr(0, whole.rfind(" in t.conf:"));
    }

    static std::string text(std::string_view arguments)
    {
        return "mail { auth_http h; server { protocol imap; listen " + std::string(arguments) +
               ";}}";
    }

    // Of each socket of a server block with these directives.
    std::vector<Protocol> protocols(std::string_view directives)
    {
        std::vector<Protocol> result;
        const Settings read =
            settings("mail { auth_http h;\nserver {\n" + std::string(directives) + "\n}}");
        for (const Listen& listen : read.servers.at(0).listens) {
            result.push_back(listen.protocol);
        }
        return result;
    }
};

using Strings = std::vector<std::string>;

TEST_F(ListenTest, AddressForms)
{
    EXPECT_EQ(addresses("143"), Strings{"0.0.0.0:143"});
    EXPECT_EQ(addresses("*:143"), Strings{"0.0.0.0:143"});
    EXPECT_EQ(addresses("127.0.0.1:143"), Strings{"127.0.0.1:143"});
    EXPECT_EQ(addresses("[::1]:143"), Strings{"[::1]:143"});
    EXPECT_EQ(addresses("[::]:143"), Strings{"[::]:143"});
    EXPECT_EQ(addresses("unix:/tmp/x"), Strings{"unix:/tmp/x"});
    EXPECT_EQ(addresses("UNIX:/tmp/x"), Strings{"unix:/tmp/x"});
    EXPECT_EQ(addresses("1"), Strings{"0.0.0.0:1"});
    EXPECT_EQ(addresses("65535"), Strings{"0.0.0.0:65535"});
}

TEST_F(ListenTest, Ranges)
{
    EXPECT_EQ(addresses("143-145"), (Strings{"0.0.0.0:143", "0.0.0.0:144", "0.0.0.0:145"}));
    EXPECT_EQ(addresses("127.0.0.1:5-6"), (Strings{"127.0.0.1:5", "127.0.0.1:6"}));
    EXPECT_EQ(addresses("[::1]:5-6"), (Strings{"[::1]:5", "[::1]:6"}));
    EXPECT_EQ(addresses("5-5"), Strings{"0.0.0.0:5"});
    EXPECT_EQ(listen_error("6-5"), "invalid port range in \"6-5\" of the \"listen\" directive");
    EXPECT_EQ(listen_error("5-70000"), "invalid port in \"5-70000\" of the \"listen\" directive");
    EXPECT_EQ(listen_error("0-5"), "invalid port in \"0-5\" of the \"listen\" directive");
    EXPECT_EQ(listen_error("5-"), "invalid port in \"5-\" of the \"listen\" directive");
}

TEST_F(ListenTest, HostNamesHaveAllTheirAddresses)
{
    const auto found = addresses("localhost:143");
    ASSERT_FALSE(found.empty());
    EXPECT_NE(std::ranges::find(found, "127.0.0.1:143"), found.end());
    EXPECT_EQ(std::set(found.begin(), found.end()).size(), found.size());
    EXPECT_EQ(listen_error("no-such-host.invalid:143"),
              "host not found in \"no-such-host.invalid:143\" of the \"listen\" directive");
}

TEST_F(ListenTest, BadAddresses)
{
    const std::pair<const char*, const char*> cases[] = {
        {"0", "invalid port"},
        {"65536", "invalid port"},
        {"*:0", "invalid port"},
        {"*:x", "invalid port"},
        {"*:", "invalid port"},
        {"[::1]:x", "invalid port"},
        {"127.0.0.1", "no port"},
        {"localhost", "no port"},
        {"[::1]", "no port"},
        {"*", "no port"},
        {"a-b", "no port"},
        {":33", "no host"},
        {"[]:33", "no host"},
        {"[::1", "invalid host"},
        {"[::1]x", "invalid host"},
        {"[::x]:3", "invalid IPv6 address"},
        {"[127.0.0.1]:3", "invalid IPv6 address"},
        {"127.0.0.1:143/x", "invalid host"},
        {"127.0.0.1:143?x", "invalid host"},
        {"a,b:143", "invalid host"},
        {"unix:", "no path in the unix domain socket"},
    };
    for (const auto& [address, why] : cases) {
        EXPECT_EQ(listen_error(address),
                  fmt::format("{} in \"{}\" of the \"listen\" directive", why, address));
    }
    EXPECT_EQ(listen_error("\"\""), "no host in \"\" of the \"listen\" directive");
}

TEST_F(ListenTest, UnixPathsHaveAtMost107Bytes)
{
    const std::string path = "/" + std::string(106, 'x');
    EXPECT_EQ(addresses("unix:" + path), Strings{"unix:" + path});
    EXPECT_EQ(listen_error("unix:" + path + "y"),
              "too long path in the unix domain socket in \"unix:" + path +
                  "y\" of the \"listen\" directive");
}

TEST_F(ListenTest, WithoutParameters)
{
    const Listen listen = first("143");
    EXPECT_FALSE(listen.ssl);
    EXPECT_FALSE(listen.proxy_protocol);
    EXPECT_FALSE(listen.bind);
    EXPECT_EQ(listen.backlog, 511);
    EXPECT_FALSE(listen.rcvbuf);
    EXPECT_FALSE(listen.sndbuf);
    EXPECT_TRUE(listen.ipv6only);
    EXPECT_FALSE(listen.so_keepalive);
    EXPECT_EQ(local(listen.where.text()), "t.conf:1");
}

TEST_F(ListenTest, Parameters)
{
    EXPECT_TRUE(first("143 ssl").ssl);
    EXPECT_FALSE(first("143 ssl").bind);
    EXPECT_TRUE(first("143 proxy_protocol").proxy_protocol);
    EXPECT_FALSE(first("143 ssl default_server").bind);
    EXPECT_TRUE(first("143 bind").bind);
    EXPECT_FALSE(first("143 bind").multipath);
    EXPECT_TRUE(first("143 multipath").multipath);
    EXPECT_TRUE(first("143 multipath").bind);
    EXPECT_EQ(first("143 backlog=1").backlog, 1);
    EXPECT_EQ(first("143 backlog=1 backlog=7").backlog, 7);
    EXPECT_EQ(first("143 rcvbuf=4k").rcvbuf, 4096);
    EXPECT_EQ(first("143 sndbuf=1m").sndbuf, 1048576);
    EXPECT_FALSE(first("143 ipv6only=off").ipv6only);
    EXPECT_TRUE(first("143 ipv6only=on").ipv6only);
    for (const char* parameter : {"backlog=5", "rcvbuf=4k", "sndbuf=4k", "ipv6only=on",
                                  "so_keepalive=on", "so_keepalive=off", "so_keepalive"}) {
        EXPECT_TRUE(first("143 " + std::string(parameter)).bind) << parameter;
    }
    EXPECT_TRUE(listens("5-6 bind backlog=3").at(1).bind);
    EXPECT_EQ(listens("5-6 bind backlog=3").at(1).backlog, 3);
}

TEST_F(ListenTest, BadParameters)
{
    EXPECT_EQ(listen_error("143 backlog=0"),
              "invalid backlog \"backlog=0\" (a number above 0 is wanted)");
    EXPECT_EQ(listen_error("143 backlog=-1"),
              "invalid backlog \"backlog=-1\" (a number above 0 is wanted)");
    EXPECT_EQ(listen_error("143 rcvbuf=x"),
              "invalid rcvbuf \"rcvbuf=x\" (a size such as 64k is wanted)");
    EXPECT_EQ(listen_error("143 sndbuf=1g"),
              "invalid sndbuf \"sndbuf=1g\" (a size such as 64k is wanted)");
    EXPECT_EQ(listen_error("143 ipv6only=oxx"),
              "invalid ipv6only flags \"oxx\" (on or off is wanted)");
    EXPECT_EQ(listen_error("143 ipv6only=xx"), "invalid parameter \"ipv6only=xx\"");
    for (const char* parameter :
         {"reuseport", "deferred", "fastopen=5", "default", "SSL", "backlog", "x="}) {
        EXPECT_EQ(listen_error("143 " + std::string(parameter)),
                  "invalid parameter \"" + std::string(parameter) + "\"");
    }
}

TEST_F(ListenTest, KeepAlive)
{
    EXPECT_TRUE(first("143 so_keepalive").so_keepalive->on);
    EXPECT_TRUE(first("143 so_keepalive=on").so_keepalive->on);
    EXPECT_FALSE(first("143 so_keepalive=off").so_keepalive->on);
    const auto all = first("143 so_keepalive=30m:10:7").so_keepalive;
    EXPECT_TRUE(all->on);
    EXPECT_EQ(all->idle, std::chrono::minutes(30));
    EXPECT_EQ(all->interval, seconds(10));
    EXPECT_EQ(all->count, 7);
    const auto middle = first("143 so_keepalive=:5:").so_keepalive;
    EXPECT_FALSE(middle->idle);
    EXPECT_EQ(middle->interval, seconds(5));
    EXPECT_FALSE(middle->count);
    EXPECT_EQ(first("143 so_keepalive=5").so_keepalive->idle, seconds(5));
    EXPECT_EQ(first("143 so_keepalive=::3").so_keepalive->count, 3);
    EXPECT_FALSE(first("143 so_keepalive=0::3").so_keepalive->idle);
    for (const char* bad : {"::", "", "0", "x", "5ms::", "::x", "1:2:3:4", "::-1", "0:0:0"}) {
        EXPECT_EQ(listen_error("143 so_keepalive=" + std::string(bad)),
                  "invalid so_keepalive value: \"" + std::string(bad) +
                      "\" (on, off or IDLE:INTERVAL:COUNT is wanted)");
    }
}

// Those that names can tell apart are in shared_addresses_test.cpp.
TEST_F(ListenTest, AnAddressMayComeOnce)
{
    const auto two = [this](const std::string& a, const std::string& b) {
        const std::string whole = error("mail { auth_http h; server { protocol imap; listen " + a +
                                        "; }\nserver { protocol imap; listen " + b + "; } }");
        return whole.substr(0, whole.find(" (")) +
               whole.substr(std::min(whole.size(), whole.rfind(" in ")));
    };
    EXPECT_EQ(two("25143", "*:25143"),
              "duplicate \"0.0.0.0:25143\" address and port pair in t.conf:2");
    EXPECT_EQ(two("0.0.0.0:25143", "25143"),
              "duplicate \"0.0.0.0:25143\" address and port pair in t.conf:2");
    EXPECT_EQ(two("5-7", "7-9"), "duplicate \"0.0.0.0:7\" address and port pair in t.conf:2");
    EXPECT_EQ(two("unix:/x", "unix:/x"), "duplicate \"unix:/x\" address and port pair in t.conf:2");
    EXPECT_EQ(two("[::]:5", "5"), "");
    EXPECT_EQ(two("127.0.0.1:5", "5"), "");
    EXPECT_EQ(listen_error("5; listen 5"), "duplicate \"0.0.0.0:5\" address and port pair");
}

TEST_F(ListenTest, EachPortSpeaksWhatItIsKnownFor)
{
    using enum Protocol;
    const std::pair<const char*, Protocol> known[] = {{"143", imap}, {"993", imap}, {"110", pop3},
                                                      {"995", pop3}, {"25", smtp},  {"465", smtp},
                                                      {"587", smtp}};
    for (const auto& [port, protocol] : known) {
        EXPECT_EQ(protocols("listen " + std::string(port) + ";"), std::vector{protocol}) << port;
        EXPECT_TRUE(warnings_.empty());
    }
    EXPECT_EQ(protocols("listen 25; listen 110; listen 143;"), (std::vector{smtp, pop3, imap}));
    EXPECT_EQ(warnings_.size(), 2u);
    EXPECT_EQ(warnings_.at(0).find("warn: 0.0.0.0:110 speaks pop3 by its port, where NGINX would "
                                   "speak smtp"),
              0u);
}

TEST_F(ListenTest, OtherPortsSpeakWhatTheFirstKnownOneDoes)
{
    using enum Protocol;
    EXPECT_EQ(protocols("listen 2000; listen 110; listen 143; listen 2001;"),
              (std::vector{pop3, pop3, imap, pop3}));
    EXPECT_EQ(protocols("listen 143-144;"), (std::vector{imap, imap}));
    EXPECT_EQ(protocols("listen unix:/x; listen 110;"), (std::vector{pop3, pop3}));
}

TEST_F(ListenTest, ProtocolDecidesWhereverItStands)
{
    using enum Protocol;
    EXPECT_EQ(protocols("protocol smtp; listen 143; listen 110;"), (std::vector{smtp, smtp}));
    EXPECT_EQ(protocols("listen 143; listen 110; protocol smtp;"), (std::vector{smtp, smtp}));
    EXPECT_TRUE(warnings_.empty());
    EXPECT_EQ(protocols("listen 5; protocol smtp; protocol pop3;"), std::vector{pop3});
    EXPECT_EQ(error("mail {auth_http h;\nserver {\nlisten 5;\n}}"),
              "unknown mail protocol for server in t.conf:2");
    EXPECT_EQ(error("mail {auth_http h;\nserver {\nlisten 142-143;\n}}"),
              "unknown mail protocol for server in t.conf:2");
    EXPECT_EQ(server_error("protocol IMAP;"),
              "unknown protocol \"IMAP\" (imap, pop3 or smtp is wanted)");
}

}  // namespace
}  // namespace postern::config
