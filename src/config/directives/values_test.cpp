// What the values of directives may be, but for "listen", which has a test of its own.
#include <fmt/format.h>

#include "config/testing.h"

namespace postern::config {
namespace {

using ValuesTest = ConfigTest;
using Strings = std::vector<std::string>;

TEST_F(ValuesTest, Times)
{
    EXPECT_EQ(server("timeout \"1h 30m\";").timeout, seconds(5400));
    EXPECT_EQ(server("timeout 500ms;").timeout, milliseconds(500));
    EXPECT_EQ(server("timeout 0;").timeout, seconds(0));
    // Added to any clock's time it must not overflow.
    EXPECT_EQ(server("timeout 9223372036854775;").timeout, std::chrono::days(36500));
    for (const char* bad : {"1y", "1M", "1.5s", "-1", "\"\"", "30m1h", "5x"}) {
        EXPECT_EQ(
            server_error("proxy_timeout " + std::string(bad) + ";"),
            "\"proxy_timeout\" directive invalid value (a time such as 500ms, 30s or 1h30m is "
            "wanted)");
    }
    EXPECT_EQ(server("ssl_session_timeout 1M;").ssl.session_timeout, std::chrono::days(30));
    EXPECT_EQ(server_error("ssl_session_timeout 5ms;"),
              "\"ssl_session_timeout\" directive invalid value (a time such as 30s, 5m or 1d is "
              "wanted)");
}

TEST_F(ValuesTest, SizesAndNumbers)
{
    EXPECT_EQ(server("imap_client_buffer 0;").imap_client_buffer, 0u);
    EXPECT_EQ(server("proxy_buffer 16K;").proxy_buffer, 16384u);
    EXPECT_EQ(server_error("proxy_buffer 1g;"),
              "\"proxy_buffer\" directive invalid value (a size such as 4096, 4k or 1m is wanted)");
    EXPECT_EQ(server("max_errors 4294967295;").max_errors, 4294967295u);
    for (const char* bad : {"4294967296", "-1", "+1", "5k", "\"\""}) {
        EXPECT_EQ(server_error("max_errors " + std::string(bad) + ";"),
                  "\"max_errors\" directive invalid number (a number is wanted)");
    }
}

TEST_F(ValuesTest, FlagsAndWordsInEitherCase)
{
    EXPECT_FALSE(server("xclient OFF;").xclient);
    EXPECT_TRUE(server("proxy_smtp_auth On;").proxy_smtp_auth);
    EXPECT_EQ(server_error("xclient yes;"),
              "invalid value \"yes\" in \"xclient\" directive, it must be \"on\" or \"off\"");
    EXPECT_EQ(server_error("proxy 1;"),
              "invalid value \"1\" in \"proxy\" directive, it must be \"on\" or \"off\"");
    EXPECT_EQ(server("starttls ONLY;").starttls, StartTls::only);
    EXPECT_EQ(server("starttls on;").starttls, StartTls::on);
    EXPECT_EQ(local(server("starttls on;").starttls_where.text()), "t.conf:5");
    EXPECT_EQ(server_error("starttls maybe;"),
              "invalid value \"maybe\" (off, on or only is wanted)");
}

TEST_F(ValuesTest, Mechanisms)
{
    EXPECT_EQ(server("imap_auth plain LOGIN cram-md5 External;").imap_auth,
              (Mechanisms{.plain = true, .login = true, .cram_md5 = true, .external = true}));
    EXPECT_EQ(server("pop3_auth plain apop cram-md5 external;").pop3_auth,
              (Mechanisms{.plain = true, .apop = true, .cram_md5 = true, .external = true}));
    EXPECT_EQ(server("smtp_auth plain login cram-md5 external none;").smtp_auth,
              (Mechanisms{
                  .plain = true, .login = true, .cram_md5 = true, .external = true, .none = true}));
    EXPECT_EQ(server_error("imap_auth apop;"),
              "invalid value \"apop\" (one of plain login cram-md5 external is wanted)");
    EXPECT_EQ(server_error("pop3_auth login;"),
              "invalid value \"login\" (one of plain apop cram-md5 external is wanted)");
    EXPECT_EQ(server_error("smtp_auth apop;"),
              "invalid value \"apop\" (one of plain login cram-md5 external none is wanted)");
    for (const char* bad : {"none", "\"\"", "\"plain login\"", "cram"}) {
        EXPECT_EQ(server_error("imap_auth " + std::string(bad) + ";").find("invalid value"), 0u);
    }
    EXPECT_EQ(server("imap_auth login login;").imap_auth, Mechanisms{.login = true});
    EXPECT_EQ(warnings_, Strings{"warn: duplicate value \"login\" in t.conf:5"});
    server("imap_auth plain;", "imap_auth plain;");
    EXPECT_TRUE(warnings_.empty());
}

TEST_F(ValuesTest, CapabilitiesAreTakenAsTheyAre)
{
    EXPECT_EQ(server("smtp_capabilities \"SIZE 10485760\" DSN;").smtp_capabilities,
              (Strings{"SIZE 10485760", "DSN"}));
    EXPECT_EQ(server_error("pop3_capabilities \"A\\r\\nB\";"),
              "\"pop3_capabilities\" directive invalid value (text without control characters is "
              "wanted)");
    EXPECT_NE(server_error("server_name \"a\\nb\";"), "");
}

TEST_F(ValuesTest, AuthHttp)
{
    const auto service = [this](const char* url) {
        return std::get<AuthHttp>(server("auth_http " + std::string(url) + ";").auth);
    };
    const auto expected = [](std::string host, std::uint16_t port, std::string path,
                             std::string uri) {
        return AuthHttp{.host = std::move(host),
                        .port = port,
                        .unix_path = std::move(path),
                        .uri = std::move(uri),
                        .https = false,
                        .where = {}};
    };
    EXPECT_EQ(service("localhost:9000/cgi-bin/auth.cgi"),
              expected("localhost", 9000, "", "/cgi-bin/auth.cgi"));
    EXPECT_EQ(service("http://auth.example.com/mail/auth"),
              expected("auth.example.com", 80, "", "/mail/auth"));
    EXPECT_EQ(service("127.0.0.1"), expected("127.0.0.1", 80, "", "/"));
    EXPECT_EQ(service("[::1]:9000/x?y=z"), expected("[::1]", 9000, "", "/x?y=z"));
    EXPECT_EQ(service("h:5?a=b"), expected("h", 5, "", "?a=b"));
    EXPECT_EQ(service("h/a:5"), expected("h", 80, "", "/a:5"));
    EXPECT_EQ(service("unix:/tmp/s"), expected("localhost", 0, "/tmp/s", "/"));
    EXPECT_EQ(service("unix:/tmp/s:/auth"), expected("localhost", 0, "/tmp/s", "/auth"));
    EXPECT_FALSE(service("http://h").https);
    EXPECT_TRUE(service("https://h/x").https);
    EXPECT_EQ(service("https://h/x").port, 443);
    EXPECT_EQ(service("https://h/x").uri, "/x");
    EXPECT_EQ(service("https://[::1]:8443").port, 8443);
    EXPECT_EQ(service("https://unix:/tmp/s:/auth").unix_path, "/tmp/s");
    EXPECT_TRUE(service("https://unix:/tmp/s:/auth").https);
    EXPECT_NE(service("https://h:80"), service("http://h:80"));
    EXPECT_EQ(service("no-such-host.invalid").host, "no-such-host.invalid");
    EXPECT_EQ(local(service("h").where.text()), "t.conf:5");
}

TEST_F(ValuesTest, BadAuthHttp)
{
    const std::pair<const char*, const char*> cases[] = {
        {"HTTPS://x/", "invalid port"},
        {"https://https://x/", "invalid port"},
        {"https:///x", "no host"},
        {"", "no host"},
        {"/x", "no host"},
        {":80", "no host"},
        {"h:0/x", "invalid port"},
        {"h:65536", "invalid port"},
        {"h:1-2", "invalid port"},
        {"*:80", "invalid host"},
        {"a b", "invalid host"},
        {"a\\r\\nb", "invalid host"},
        {"[::g]", "invalid IPv6 address"},
        {"unix:", "no path in the unix domain socket"},
        {"unix::/x", "no path in the unix domain socket"},
        {"h/a b", "invalid URI"},
        {"h/a\\r\\nX: y", "invalid URI"},
        {"h/a#b", "invalid URI"},
    };
    for (const auto& [url, why] : cases) {
        const std::string text = server_error(fmt::format("auth_http \"{}\";", url));
        EXPECT_EQ(text.find(fmt::format("{} in auth_http \"", why)), 0u) << url << ": " << text;
    }
    EXPECT_EQ(server_error("auth_http http://h:x/;"),
              "invalid port in auth_http \"h:x/\" ([http[s]://]HOST[:PORT][/PATH] is wanted)");
}

TEST_F(ValuesTest, AuthFile)
{
    const auto file = [this](const char* arguments) {
        return std::get<AuthFile>(server("auth_file " + std::string(arguments) + ";").auth);
    };
    EXPECT_EQ(file("users").path, folder_ + "conf/users");
    EXPECT_EQ(file("/etc/users").path, "/etc/users");
    EXPECT_EQ(file("users").default_host, "");
    EXPECT_EQ(file("users default=127.0.0.1:143").default_host, "127.0.0.1");
    EXPECT_EQ(file("users default=127.0.0.1:143").default_port, 143);
    EXPECT_EQ(file("users default=[::1]:143").default_host, "::1");
    EXPECT_EQ(file("users default=[::1]:143").default_port, 143);
    EXPECT_EQ(file("users default=mail.example.com").default_host, "mail.example.com");
    EXPECT_EQ(file("users default=mail.example.com").default_port, 0);
    EXPECT_EQ(server_error("auth_file users host=x;"),
              "invalid parameter \"host=x\" (default=HOST[:PORT] is wanted)");
    for (const char* bad : {"", ":5", "x:0", "x:y", "unix:/x", "a/b", "[::1", "*"}) {
        EXPECT_NE(server_error("auth_file users default=" + std::string(bad) + ";"), "") << bad;
    }
    EXPECT_NE(server_error("auth_file \"\";"), "");
}

TEST_F(ValuesTest, TheSourceOfUsersWrittenLastInTheInnermostBlockCounts)
{
    EXPECT_EQ(std::get<AuthHttp>(server("auth_http a; auth_http b;").auth).host, "b");
    EXPECT_EQ(warnings_.size(), 1u);
    EXPECT_EQ(std::get<AuthHttp>(server("auth_file a; auth_http b;").auth).host, "b");
    EXPECT_TRUE(std::holds_alternative<AuthFile>(server("auth_http b; auth_file a;").auth));
    EXPECT_TRUE(std::holds_alternative<AuthFile>(server("auth_file a;").auth));
    EXPECT_TRUE(warnings_.empty());
}

TEST_F(ValuesTest, AuthHttpHeadersCannotForgeOthers)
{
    EXPECT_EQ(server("auth_http_header X-Key \"a b: c\";").auth_http_headers.at(0).second,
              "a b: c");
    EXPECT_NE(server_error("auth_http_header X \"a\\r\\nY: b\";"), "");
    EXPECT_NE(server_error("auth_http_header \"X: y\" b;"), "");
    EXPECT_NE(server_error("auth_http_header \"\" b;"), "");
    EXPECT_EQ(server_error("auth_http_header X \"\";"), "");
}

TEST_F(ValuesTest, Resolver)
{
    const Resolver read = server("resolver 8.8.8.8 [::1]:5353 valid=300s ipv6=off;").resolver;
    EXPECT_TRUE(read.configured);
    ASSERT_EQ(read.servers.size(), 2u);
    EXPECT_EQ(read.servers[0].text(), "8.8.8.8:53");
    EXPECT_EQ(read.servers[1].text(), "[::1]:5353");
    EXPECT_EQ(read.valid, seconds(300));
    EXPECT_TRUE(read.ipv4);
    EXPECT_FALSE(read.ipv6);
    EXPECT_FALSE(server("resolver 8.8.8.8;").resolver.valid);
    EXPECT_GE(server("resolver localhost;").resolver.servers.size(), 1u);
    EXPECT_FALSE(server("resolver off;", "resolver 8.8.8.8;").resolver.configured);
    EXPECT_EQ(server_error("resolver 8.8.8.8 valid=x;"), "invalid parameter: valid=x");
    EXPECT_EQ(server_error("resolver 8.8.8.8 ipv4=no;"), "invalid parameter: ipv4=no");
    EXPECT_EQ(server_error("resolver valid=5;"), "no name servers defined");
    EXPECT_EQ(server_error("resolver 8.8.8.8 ipv4=off ipv6=off;"),
              "\"ipv4\" and \"ipv6\" cannot both be \"off\"");
    EXPECT_EQ(server_error("resolver no-such-host.invalid;"),
              "host not found in resolver \"no-such-host.invalid\"");
    EXPECT_EQ(server_error("resolver 127.0.0.1:0;"), "invalid port in resolver \"127.0.0.1:0\"");
    EXPECT_NE(server_error("resolver 8.8.8.8 status_zone=x;"), "");
    EXPECT_NE(server_error("resolver unix:/x;"), "");
}

TEST_F(ValuesTest, AccessRules)
{
    using Who = AccessRule::Who;
    const auto rules = server("allow 192.168.0.0/16; deny ::1; allow unix:; deny all;").access;
    ASSERT_EQ(rules.size(), 4u);
    EXPECT_TRUE(rules[0].allow);
    EXPECT_EQ(rules[0].who, Who::network);
    EXPECT_TRUE(rules[0].network.contains(*SocketAddress::parse_ip("192.168.200.1", 1)));
    EXPECT_FALSE(rules[0].network.contains(*SocketAddress::parse_ip("192.169.0.1", 1)));
    EXPECT_FALSE(rules[1].allow);
    EXPECT_TRUE(rules[1].network.contains(*SocketAddress::parse_ip("::1", 1)));
    EXPECT_EQ(rules[2].who, Who::unix_socket);
    EXPECT_EQ(rules[3].who, Who::all);
    EXPECT_FALSE(rules[3].allow);
    EXPECT_TRUE(warnings_.empty());
    server("allow 10.0.0.1/8;");
    EXPECT_EQ(warnings_,
              Strings{"warn: low address bits of 10.0.0.1/8 are meaningless in t.conf:5"});
    for (const char* bad : {"10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/x", "host", "unix:/x",
                            "ALL", "\"\"", "1.2.3", "10.0.0.0/-1"}) {
        EXPECT_EQ(server_error("deny " + std::string(bad) + ";").find("invalid parameter \""), 0u)
            << bad;
    }
}

TEST_F(ValuesTest, ErrorLogFiles)
{
    const auto logs =
        settings("error_log a; error_log /b debug; error_log stderr notice;").error_logs;
    ASSERT_EQ(logs.size(), 3u);
    EXPECT_EQ(logs[0].path, "/prefix/a");
    EXPECT_EQ(logs[0].level, LogLevel::error);
    EXPECT_EQ(logs[1].path, "/b");
    EXPECT_EQ(logs[1].level, LogLevel::debug);
    EXPECT_EQ(logs[2].kind, LogTarget::Kind::standard_error);
    EXPECT_EQ(logs[2].level, LogLevel::notice);
    EXPECT_EQ(settings("error_log a debug_mail debug_core;").error_logs[0].level, LogLevel::debug);
    EXPECT_EQ(error("error_log x foo;").find("invalid log level \"foo\""), 0u);
    EXPECT_EQ(error("error_log x Warn;").find("invalid log level \"Warn\""), 0u);
    EXPECT_EQ(error("error_log x warn error;"), "duplicate log level \"error\" in t.conf:1");
    EXPECT_EQ(error("error_log x error debug_mail;").find("invalid log level \"debug_mail\""), 0u);
    EXPECT_EQ(error("error_log x debug debug_mail;").find("invalid log level \"debug_mail\""), 0u);
    EXPECT_EQ(error("error_log x debug_mail debug;"), "duplicate log level \"debug\" in t.conf:1");
    EXPECT_EQ(settings("error_log \"\";").error_logs.at(0).kind, LogTarget::Kind::standard_error);
}

TEST_F(ValuesTest, ErrorLogsInMemory)
{
    const auto logs = settings("error_log memory:32k debug;\nerror_log memory:1M;").error_logs;
    ASSERT_EQ(logs.size(), 3u);  // the built-in log stays open
    EXPECT_EQ(logs[0].kind, LogTarget::Kind::memory);
    EXPECT_EQ(logs[0].level, LogLevel::debug);
    EXPECT_EQ(logs[0].memory_bytes, 32768u);
    EXPECT_EQ(local(logs[0].path), "t.conf:1");
    EXPECT_EQ(logs[1].memory_bytes, 1048576u);
    EXPECT_EQ(local(logs[1].path), "t.conf:2");
    EXPECT_EQ(logs[2].kind, LogTarget::Kind::file);
    const std::size_t least = 2048 + 51 + (folder_ + "conf/t.conf").size();
    EXPECT_EQ(error(fmt::format("error_log memory:{};", least)), "");
    EXPECT_EQ(error("error_log memory:4095m;"), "");
    for (const std::string& bad :
         {std::to_string(least - 1), std::string("4096m"), std::string("0"), std::string("1x"),
          std::string(), std::string("1g"), std::string("-1")}) {
        EXPECT_EQ(error("error_log memory:" + bad + ";")
                      .find("invalid buffer size \"" + bad + "\" (a size of "),
                  0u)
            << bad;
    }
}

TEST_F(ValuesTest, ErrorLogsOfMailReplaceThoseOfMainAndOfServersThoseOfMail)
{
    const Settings read = settings(
        "error_log m; mail { auth_http h; error_log a; error_log b; server { listen 143; } "
        "server { listen 110; error_log c; } }");
    EXPECT_EQ(read.error_logs.size(), 1u);
    EXPECT_EQ(read.servers.at(0).error_logs.size(), 2u);
    ASSERT_EQ(read.servers.at(1).error_logs.size(), 1u);
    EXPECT_EQ(read.servers[1].error_logs[0].path, "/prefix/c");
}

TEST_F(ValuesTest, SyslogAloneLeavesTheBuiltInLogOpen)
{
    const auto logs = settings("error_log syslog:server=127.0.0.1 info;").error_logs;
    ASSERT_EQ(logs.size(), 2u);
    EXPECT_EQ(logs[1].kind, LogTarget::Kind::file);
    EXPECT_EQ(logs[1].level, LogLevel::error);
    options_.error_log_override = "other.log";
    EXPECT_EQ(settings("").error_logs.at(0).path, "/prefix/other.log");
    EXPECT_EQ(settings("error_log a;").error_logs.size(), 1u);
    options_.error_log_override = "stderr";
    EXPECT_EQ(settings("").error_logs.at(0).kind, LogTarget::Kind::standard_error);
}

TEST_F(ValuesTest, Syslog)
{
    const auto log = [this](const std::string& text) {
        return settings("error_log syslog:" + text + " warn;").error_logs.at(0);
    };
    EXPECT_EQ(log("server=127.0.0.1").path, "127.0.0.1:514");
    EXPECT_EQ(log("server=127.0.0.1").syslog_facility, 23);
    EXPECT_EQ(log("server=127.0.0.1").level, LogLevel::warn);
    EXPECT_EQ(log("server=[::1]:5140").path, "[::1]:5140");
    const auto all = log("server=unix:/dev/log,facility=mail,tag=Mail_1,severity=info,nohostname");
    EXPECT_EQ(all.kind, LogTarget::Kind::syslog);
    EXPECT_EQ(all.path, "unix:/dev/log");
    EXPECT_EQ(all.syslog_facility, 2);
    EXPECT_EQ(all.syslog_tag, "Mail_1");
    EXPECT_TRUE(all.syslog_nohostname);
    EXPECT_EQ(log("server=[::1],tag=" + std::string(32, 'x')).syslog_tag.size(), 32u);
    const auto bad = [this](const std::string& text) {
        const std::string whole = error("error_log syslog:" + text + ";");
        return whole.substr(0, whole.rfind(" in "));
    };
    EXPECT_EQ(bad("tag=x"), "no syslog server specified");
    EXPECT_EQ(bad(""), "unknown syslog parameter \"\"");
    EXPECT_EQ(bad("foo=1"), "unknown syslog parameter \"foo=1\"");
    EXPECT_EQ(bad("server=[::1],server=[::1]"), "duplicate syslog \"server\"");
    EXPECT_EQ(bad("facility=mail,facility=mail"), "duplicate syslog \"facility\"");
    EXPECT_EQ(bad("severity=info,severity=info"), "duplicate syslog \"severity\"");
    EXPECT_EQ(bad("tag=a,tag=a"), "duplicate syslog \"tag\"");
    EXPECT_EQ(bad("facility=local8"), "unknown syslog facility \"local8\"");
    EXPECT_EQ(bad("severity=loud"), "unknown syslog severity \"loud\"");
    EXPECT_EQ(bad("tag=" + std::string(33, 'x')), "syslog tag length exceeds 32");
    EXPECT_EQ(bad("tag=a-b"), "syslog \"tag\" only allows alphanumeric characters and underscore");
    EXPECT_EQ(bad("server=127.0.0.1:0"), "invalid port in syslog server \"127.0.0.1:0\"");
    EXPECT_EQ(bad("server=no-such-host.invalid"),
              "host not found in syslog server \"no-such-host.invalid\"");
}

}  // namespace
}  // namespace postern::config
