#include "config/shared_addresses.h"

#include <fmt/format.h>

#include "config/testing.h"

namespace postern::config {
namespace {

using Strings = std::vector<std::string>;

class SharedAddressesTest : public ConfigTest
{
protected:
    // One IMAP server a line, the first in line 2.
    static std::string servers(const Strings& directives, const std::string& in_mail = "")
    {
        std::string text = "mail { auth_http h; " + in_mail + "\n";
        for (const std::string& each : directives) {
            text += "server { protocol imap; " + each + " }\n";
        }
        return text + "}";
    }

    // The text in the parentheses of `duplicate "ADDRESS" address and port pair (...)`, and where.
    std::string refusal(const Strings& directives, const std::string& in_mail = "")
    {
        const std::string whole = error(servers(directives, in_mail));
        const std::string start = "duplicate \"0.0.0.0:5\" address and port pair (";
        return whole.starts_with(start) ? whole.substr(start.size()) : "other error: " + whole;
    }

    // Which servers are the default ones of their first address.
    std::vector<bool> defaults(const Strings& directives)
    {
        std::vector<bool> result;
        for (const MailServer& server : settings(servers(directives)).servers) {
            result.push_back(server.listens.at(0).default_server);
        }
        return result;
    }
};

TEST_F(SharedAddressesTest, NamesPickAServer)
{
    EXPECT_EQ(error(servers({"listen 5 ssl; server_name a;", "listen 5 ssl; server_name b;"})), "");
    EXPECT_EQ(error(servers({"listen 5 ssl;", "listen *:5 ssl; server_name b;"})), "");
    EXPECT_EQ(error(servers({"listen 5; starttls on; server_name a;",
                             "listen 5; starttls only; server_name *.a;"})),
              "");
    EXPECT_EQ(
        error(servers({"listen 5; server_name a;", "listen 5; server_name b;"}, "starttls on;")),
        "");
    EXPECT_EQ(error(servers(
                  {"listen unix:/x ssl; server_name a;", "listen unix:/x ssl; server_name b;"})),
              "");
    EXPECT_TRUE(warnings_.empty());
}

TEST_F(SharedAddressesTest, WithoutTlsNoNameIsAskedFor)
{
    const std::string what =
        "servers may share one if all have \"ssl\" there, or all have \"starttls on\" or \"only\"; "
        "the other one is in t.conf:2) in t.conf:3";
    EXPECT_EQ(refusal({"listen 5; server_name a;", "listen 5; server_name b;"}), what);
    EXPECT_EQ(refusal({"listen 5 ssl; server_name a;", "listen 5; server_name b;"}), what);
    EXPECT_EQ(refusal({"listen 5; server_name a;", "listen 5 ssl; server_name b;"}, "starttls on;"),
              what);
    EXPECT_EQ(refusal({"listen 5; server_name a;", "listen 5; starttls on; server_name b;"}), what);
    EXPECT_EQ(refusal({"listen 5; starttls on; server_name a;", "listen 5; server_name b;"}), what);
}

TEST_F(SharedAddressesTest, AllSpeakTheSame)
{
    EXPECT_EQ(error("mail { auth_http h;\n"
                    "server { listen 5 ssl; protocol imap; server_name a; }\n"
                    "server { listen 5 ssl; protocol pop3; server_name b; } }"),
              "duplicate \"0.0.0.0:5\" address and port pair (it speaks pop3 there, and the one in "
              "t.conf:2 imap) in t.conf:3");
    EXPECT_EQ(
        refusal({"listen 5 ssl; server_name a;", "listen 5 ssl proxy_protocol; server_name b;"}),
        "\"proxy_protocol\" has to be here and in t.conf:2, or nowhere) in t.conf:3");
}

TEST_F(SharedAddressesTest, AServerThatNoNameLeadsToIsAnError)
{
    const std::string what =
        "no name leads here: a \"server_name\" that the server in t.conf:2 hasn't got is wanted) "
        "in "
        "t.conf:3";
    EXPECT_EQ(refusal({"listen 5 ssl; server_name a;", "listen 5 ssl;"}), what);
    EXPECT_EQ(refusal({"listen 5 ssl;", "listen 5 ssl;"}), what);
    EXPECT_EQ(refusal({"listen 5 ssl;", "listen 5 ssl;"}, "server_name a;"), what);
    EXPECT_EQ(refusal({"listen 5 ssl; server_name a b;", "listen 5 ssl; server_name B a.;"}), what);
    EXPECT_EQ(refusal({"listen 5-7 ssl;", "listen 4-5 ssl;"}), what);
    // The default server needs no name, but comes first wherever it stands.
    EXPECT_EQ(error(servers({"listen 5 ssl; server_name a;", "listen 5 ssl default_server;"})), "");
    EXPECT_EQ(
        refusal({"listen 5 ssl; server_name a;", "listen 5 ssl default_server; server_name a;"}),
        "no name leads here: a \"server_name\" that the server in t.conf:3 hasn't got is "
        "wanted) in t.conf:2");
}

TEST_F(SharedAddressesTest, OfTheSameNameTheFirstServerHasIt)
{
    settings(servers({"listen 5 ssl; server_name a *.x;", "listen 5 ssl; server_name A b;",
                      "listen 5-6 ssl; server_name c *.X c;", "listen 6 ssl; server_name a;"}));
    EXPECT_EQ(warnings_,
              (Strings{"warn: conflicting server name \"a\" on 0.0.0.0:5, ignored in t.conf:3",
                       "warn: conflicting server name \"*.x\" on 0.0.0.0:5, ignored in t.conf:4"}));
}

TEST_F(SharedAddressesTest, OneIsTheDefaultServer)
{
    EXPECT_EQ(defaults({"listen 5;", "listen 6;"}), (std::vector{true, true}));
    EXPECT_EQ(defaults({"listen 5 ssl; server_name a;", "listen 5 ssl; server_name b;",
                        "listen 5 ssl; server_name c;"}),
              (std::vector{true, false, false}));
    EXPECT_EQ(defaults({"listen 5 ssl; server_name a;", "listen 5 ssl default_server;",
                        "listen 5 ssl; server_name c;"}),
              (std::vector{false, true, false}));
    EXPECT_EQ(error(servers({"listen 5-6 ssl default_server; server_name a;",
                             "listen 6 ssl default_server; server_name b;"})),
              "a duplicate default server for 0.0.0.0:6 in t.conf:3");
}

TEST_F(SharedAddressesTest, SocketOptionsAreWrittenOnce)
{
    const Strings options = {"bind",      "backlog=5",    "rcvbuf=4k",
                             "sndbuf=4k", "ipv6only=off", "so_keepalive=on"};
    for (const std::string& option : options) {
        EXPECT_EQ(error(servers({"listen 5 ssl; server_name a;",
                                 fmt::format("listen 5 ssl {}; server_name b;", option),
                                 "listen 5 ssl; server_name c;"})),
                  "");
        EXPECT_EQ(error(servers({"listen 5 ssl bind; server_name a;",
                                 fmt::format("listen 5 ssl {}; server_name b;", option)})),
                  "duplicate listen options for 0.0.0.0:5 in t.conf:3");
    }
}

TEST_F(SharedAddressesTest, OneServerHasAnAddressOnce)
{
    EXPECT_EQ(error(servers({"listen 5 ssl;\nlisten *:5 ssl;"})),
              "duplicate \"0.0.0.0:5\" address and port pair in t.conf:3");
    EXPECT_EQ(error(servers({"listen 5-7 ssl;\nlisten 7-8 ssl;"})),
              "duplicate \"0.0.0.0:7\" address and port pair in t.conf:3");
}

TEST_F(SharedAddressesTest, ASharedAddressIsOneSocket)
{
    const auto with = [this](int connections, const std::string& second) {
        return error(fmt::format("events {{ worker_connections {}; }} ", connections) +
                     servers({"listen 5 ssl; server_name a;", second}));
    };
    EXPECT_EQ(with(2, "listen 5 ssl; server_name b;"), "");
    EXPECT_EQ(with(2, "listen 5 ssl; listen 6; server_name b;"),
              "2 worker_connections are not enough for 2 listening sockets");
    EXPECT_EQ(with(1, "listen 5 ssl; server_name b;"),
              "1 worker_connections are not enough for 1 listening sockets");
    // Beside a wildcard, whichever of the servers wrote "bind".
    EXPECT_EQ(with(2, "listen 127.0.0.1:5; server_name b;"), "");
    EXPECT_EQ(error("events { worker_connections 2; } " +
                    servers({"listen 5;", "listen 127.0.0.1:5 ssl; server_name a;",
                             "listen 127.0.0.1:5 ssl bind; server_name b;"})),
              "2 worker_connections are not enough for 2 listening sockets");
}

}  // namespace
}  // namespace postern::config
