#include "config/apply.h"

#include <fmt/format.h>
#include <unistd.h>

#include "base/text.h"
#include "build_info.h"
#include "config/testing.h"

namespace postern::config {
namespace {

using ApplyTest = ConfigTest;
using std::chrono::hours;
using Strings = std::vector<std::string>;

TEST_F(ApplyTest, MainDefaults)
{
    const Settings read = settings("");
    EXPECT_EQ(read.user, "");
    EXPECT_EQ(read.worker_processes, 1u);
    EXPECT_FALSE(read.worker_rlimit_nofile);
    EXPECT_EQ(read.worker_shutdown_timeout, seconds(0));
    EXPECT_EQ(read.pid, std::string("/prefix/") + build::kPidPath);
    ASSERT_EQ(read.error_logs.size(), 1u);
    EXPECT_EQ(read.error_logs[0].path, std::string("/prefix/") + build::kErrorLogPath);
    EXPECT_EQ(read.error_logs[0].level, LogLevel::error);
    EXPECT_TRUE(read.daemon);
    EXPECT_TRUE(read.master_process);
    EXPECT_EQ(read.working_directory, "");
    EXPECT_TRUE(read.environment.empty());
    EXPECT_EQ(read.events.worker_connections, 512u);
    EXPECT_FALSE(read.events.multi_accept);
    EXPECT_TRUE(read.servers.empty());
    EXPECT_TRUE(warnings_.empty());
    EXPECT_TRUE(settings("events {} mail {}").servers.empty());
}

TEST_F(ApplyTest, ServerDefaults)
{
    const MailServer read = server("");
    char name[256] = "";
    ::gethostname(name, sizeof name - 1);
    EXPECT_EQ(read.server_name, to_lower(name));
    EXPECT_EQ(read.timeout, seconds(60));
    EXPECT_EQ(read.max_errors, 5u);
    EXPECT_EQ(read.max_commands, 1000u);
    EXPECT_EQ(read.starttls, StartTls::off);
    EXPECT_TRUE(read.access.empty());
    EXPECT_TRUE(read.error_logs.empty());
    EXPECT_FALSE(read.resolver.configured);
    EXPECT_EQ(read.resolver_timeout, seconds(30));
    EXPECT_EQ(read.imap_auth, Mechanisms{.plain = true});
    EXPECT_EQ(read.imap_capabilities, (Strings{"IMAP4", "IMAP4rev1", "UIDPLUS"}));
    EXPECT_EQ(read.imap_client_buffer, 4096u);
    EXPECT_EQ(read.pop3_auth, Mechanisms{.plain = true});
    EXPECT_EQ(read.pop3_capabilities, (Strings{"TOP", "USER", "UIDL"}));
    EXPECT_EQ(read.pop3_client_buffer, 4096u);
    EXPECT_EQ(read.smtp_auth, (Mechanisms{.plain = true, .login = true}));
    EXPECT_TRUE(read.smtp_capabilities.empty());
    EXPECT_EQ(read.smtp_client_buffer, 4096u);
    EXPECT_EQ(read.smtp_greeting_delay, seconds(0));
    EXPECT_EQ(read.auth_http_timeout, seconds(60));
    EXPECT_EQ(read.auth_http_keepalive, 0u);
    EXPECT_TRUE(read.auth_http_headers.empty());
    EXPECT_EQ(read.proxy_buffer, 4096u);
    EXPECT_EQ(read.proxy_timeout, hours(24));
    EXPECT_FALSE(read.proxy_pass_error_message);
    EXPECT_FALSE(read.proxy_smtp_auth);
    EXPECT_TRUE(read.xclient);
    EXPECT_EQ(local(read.where.text()), "t.conf:3");
}

TEST_F(ApplyTest, AServerInheritsAndMaySayOtherwise)
{
    EXPECT_EQ(server("", "timeout 5;").timeout, seconds(5));
    EXPECT_EQ(server("timeout 6;", "timeout 5;").timeout, seconds(6));
    EXPECT_EQ(server("xclient on;", "xclient off;").xclient, true);
    EXPECT_EQ(server("", "ssl_session_timeout 1d;").ssl.session_timeout, hours(24));
}

TEST_F(ApplyTest, WhatStandsBehindTheServersHoldsForThemToo)
{
    const Settings read = settings(
        "mail { server { listen 143; } server { listen 110; timeout 6; }\n"
        "timeout 5; auth_http h; }\ndaemon off;");
    ASSERT_EQ(read.servers.size(), 2u);
    EXPECT_EQ(read.servers[0].timeout, seconds(5));
    EXPECT_EQ(read.servers[1].timeout, seconds(6));
    EXPECT_TRUE(std::holds_alternative<AuthHttp>(read.servers[0].auth));
    EXPECT_FALSE(read.daemon);
}

TEST_F(ApplyTest, OneServerSaysNothingAboutTheNext)
{
    const Settings read = settings(
        "mail { auth_http h; imap_capabilities M; server { listen 143; timeout 6; "
        "imap_capabilities A; allow all; } server { listen 993; } }");
    EXPECT_EQ(read.servers.at(1).timeout, seconds(60));
    EXPECT_EQ(read.servers.at(1).imap_capabilities, Strings{"M"});
    EXPECT_TRUE(read.servers.at(1).access.empty());
    EXPECT_EQ(read.servers.at(1).listens.size(), 1u);
}

TEST_F(ApplyTest, ListsAddUpInABlockAndReplaceWhatTheyInherit)
{
    EXPECT_EQ(server("", "imap_capabilities A B; imap_capabilities C;").imap_capabilities,
              (Strings{"A", "B", "C"}));
    EXPECT_EQ(server("imap_capabilities D; imap_capabilities E;", "imap_capabilities A;")
                  .imap_capabilities,
              (Strings{"D", "E"}));
    using Headers = std::vector<std::pair<std::string, std::string>>;
    EXPECT_EQ(server("", "auth_http_header A 1; auth_http_header A 2;").auth_http_headers,
              (Headers{{"A", "1"}, {"A", "2"}}));
    EXPECT_EQ(server("auth_http_header B 3;", "auth_http_header A 1;").auth_http_headers,
              (Headers{{"B", "3"}}));
    EXPECT_EQ(server("deny all;", "allow 10.0.0.0/8; allow all;").access.size(), 1u);
    EXPECT_EQ(server("deny 10.0.0.0/8; allow all;").access.size(), 2u);
}

TEST_F(ApplyTest, MechanismsAddUpInABlockAndReplaceWhatTheyInherit)
{
    EXPECT_EQ(server("pop3_auth apop; pop3_auth cram-md5;", "pop3_auth external;").pop3_auth,
              (Mechanisms{.apop = true, .cram_md5 = true}));
    EXPECT_EQ(server("", "smtp_auth none;").smtp_auth, Mechanisms{.none = true});
}

TEST_F(ApplyTest, ScalarsMayComeOnceInABlock)
{
    const char* once[] = {"server_name a",         "timeout 5",
                          "max_errors 5",          "max_commands 5",
                          "starttls off",          "resolver off",
                          "resolver_timeout 5",    "imap_client_buffer 5",
                          "smtp_client_buffer 5",  "pop3_client_buffer 5",
                          "smtp_greeting_delay 5", "auth_http_timeout 5",
                          "auth_http_keepalive 5", "proxy_buffer 5",
                          "proxy_timeout 5",       "proxy_pass_error_message on",
                          "proxy_smtp_auth on",    "xclient on",
                          "proxy_protocol off",    "proxy off"};
    for (const std::string directive : once) {
        const std::string name = directive.substr(0, directive.find(' '));
        const std::string message = "\"" + name + "\" directive is duplicate";
        EXPECT_EQ(server_error(directive + ";"), "") << name;
        EXPECT_EQ(server_error(directive + ";\n" + directive + ";"), message);
        EXPECT_EQ(server_error("", directive + ";" + directive + ";"), message);
        EXPECT_EQ(server_error(directive + ";", directive + ";"), "") << name;
    }
    for (const std::string directive :
         {"user a", "worker_processes 1", "worker_rlimit_nofile 5", "worker_shutdown_timeout 5",
          "pid a", "daemon on", "master_process on", "working_directory /"}) {
        EXPECT_EQ(error(directive + ";\n" + directive + ";"),
                  "\"" + directive.substr(0, directive.find(' ')) +
                      "\" directive is duplicate in t.conf:2");
    }
    EXPECT_EQ(error("events {}\nevents {}"), "\"events\" directive is duplicate in t.conf:2");
    EXPECT_EQ(error("mail {}\nmail {}"), "\"mail\" directive is duplicate in t.conf:2");
}

TEST_F(ApplyTest, AServerNeedsAListenAndASourceOfUsers)
{
    EXPECT_EQ(error("mail { auth_http h;\nserver {\n}\n}"),
              "no \"listen\" is defined for server in t.conf:2");
    EXPECT_EQ(error("mail {\nserver {\nlisten 143;}\n}"),
              "no \"auth_http\" or \"auth_file\" is defined for server in t.conf:2");
    EXPECT_EQ(error("mail {\nserver {\nlisten 143; auth_file users;}\n}"), "");
}

TEST_F(ApplyTest, TheUserMattersToRootOnly)
{
    EXPECT_EQ(settings("user nobody;").user, "");
    EXPECT_EQ(warnings_, Strings{"warn: the \"user\" directive makes sense only if the master "
                                 "process runs with super-user privileges, ignored in t.conf:1"});
    options_.running_as_root = true;
    EXPECT_EQ(settings("").user, build::kUser);
    EXPECT_EQ(settings("").group, build::kGroup);
    EXPECT_EQ(settings("user daemon;").user, "daemon");
    EXPECT_EQ(settings("user daemon;").group, "daemon");
    EXPECT_EQ(settings("user daemon mail;").group, "mail");
    EXPECT_TRUE(warnings_.empty());
    EXPECT_EQ(error("user no-such-user;"),
              "getpwnam(\"no-such-user\") failed (no such user) in t.conf:1");
    EXPECT_EQ(error("user daemon no-such-group;"),
              "getgrnam(\"no-such-group\") failed (no such group) in t.conf:1");
}

TEST_F(ApplyTest, MainValues)
{
    const Settings read = settings(
        "worker_processes 4; worker_rlimit_nofile 9; worker_shutdown_timeout 10s; pid /p; "
        "master_process OFF; working_directory /w; env A; env B=1=2; env C=; "
        "events { worker_connections 7; multi_accept on; use epoll; accept_mutex off; }");
    EXPECT_EQ(read.worker_processes, 4u);
    EXPECT_EQ(read.worker_rlimit_nofile, 9u);
    EXPECT_EQ(read.worker_shutdown_timeout, seconds(10));
    EXPECT_EQ(read.pid, "/p");
    EXPECT_FALSE(read.master_process);
    EXPECT_EQ(read.working_directory, "/w");
    using Variables = decltype(read.environment);
    EXPECT_EQ(read.environment, (Variables{{"A", std::nullopt}, {"B", "1=2"}, {"C", ""}}));
    EXPECT_EQ(read.events.worker_connections, 7u);
    EXPECT_TRUE(read.events.multi_accept);
    EXPECT_TRUE(warnings_.empty());
    EXPECT_EQ(settings("pid run/p;").pid, "/prefix/run/p");
    EXPECT_GE(settings("worker_processes auto;").worker_processes, 1u);
    EXPECT_EQ(settings("worker_processes 1024;").worker_processes, 1024u);
}

TEST_F(ApplyTest, BadMainValues)
{
    for (const char* bad : {"0", "1025", "x", "-1", "AUTO"}) {
        EXPECT_EQ(error("worker_processes " + std::string(bad) + ";"),
                  "\"worker_processes\" directive invalid value (auto or 1 to 1024 is wanted) in "
                  "t.conf:1");
    }
    EXPECT_EQ(error("worker_rlimit_nofile 1k;"),
              "\"worker_rlimit_nofile\" directive invalid number (a number is wanted) in "
              "t.conf:1");
    EXPECT_EQ(error("env =x;"),
              "\"env\" directive invalid value (NAME or NAME=VALUE is wanted) in t.conf:1");
    EXPECT_EQ(error("events { worker_connections x; }"),
              "invalid number \"x\" (a number is wanted) in t.conf:1");
    EXPECT_EQ(error("events { use poll; }"),
              "invalid event type \"poll\" (epoll is wanted) in t.conf:1");
}

TEST_F(ApplyTest, WhatHasNoEffectIsToldSo)
{
    for (const std::string directive :
         {"lock_file x", "timer_resolution 1ms", "debug_points stop", "pcre_jit on", "ssl_engine x",
          "thread_pool a threads=1 max_queue=0", "ssl_object_cache_inheritable on", "quic_bpf on",
          "google_perftools_profiles x", "rtmp_auto_push ON", "rtmp_auto_push_reconnect 1s",
          "rtmp_socket_dir x"}) {
        settings(directive + ";");
        EXPECT_EQ(warnings_, Strings{"warn: \"" + directive.substr(0, directive.find(' ')) +
                                     "\" directive has no effect in Postern in t.conf:1"});
    }
    for (const std::string directive :
         {"accept_mutex on", "accept_mutex_delay 5", "worker_aio_requests 5", "epoll_events 5"}) {
        settings("events { " + directive + "; }");
        EXPECT_EQ(warnings_.size(), 1u) << directive;
    }
    for (const std::string block : {"http", "stream", "rtmp", "mgmt"}) {
        settings(block + " { a b; c { d \"}\"; } }");
        EXPECT_EQ(warnings_, Strings{"warn: \"" + block +
                                     "\" block is skipped: Postern serves mail in t.conf:1"});
    }
    settings("load_module x.so; load_module y.so;");
    EXPECT_EQ(warnings_.at(1),
              "notice: nothing to load for \"load_module y.so\": Postern has no "
              "modules in t.conf:1");
}

TEST_F(ApplyTest, WhatHasNoEffectIsCheckedAllTheSame)
{
    const std::string flag = "directive, it must be \"on\" or \"off\"";
    const std::pair<std::string, std::string> cases[] = {
        {"timer_resolution 1y", "\"timer_resolution\" directive invalid value (a time such"},
        {"debug_points x", "invalid value \"x\" (stop or abort is wanted)"},
        {"pcre_jit x", "invalid value \"x\" in \"pcre_jit\" " + flag},
        {"quic_bpf x", "invalid value \"x\" in \"quic_bpf\" " + flag},
        {"ssl_object_cache_inheritable 1",
         "invalid value \"1\" in \"ssl_object_cache_inheritable\" " + flag},
        {"thread_pool a max_queue=5", "\"thread_pool\" must have \"threads\" parameter"},
        {"thread_pool a threads=0", "invalid threads value \"threads=0\""},
        {"thread_pool a threads=1 max_queue=x", "invalid max_queue value \"max_queue=x\""},
        {"lock_file", "invalid number of arguments in \"lock_file\" directive"},
        {"lock_file a; lock_file b", "\"lock_file\" directive is duplicate"},
    };
    for (const auto& [text, message] : cases) {
        EXPECT_EQ(error(text + ";").find(message), 0u) << text << ": " << error(text + ";");
    }
    for (const std::string text : {"worker_aio_requests x", "epoll_events x"}) {
        EXPECT_EQ(error("events { " + text + "; }")
                      .find("\"" + text.substr(0, text.size() - 2) + "\" directive invalid number"),
                  0u);
    }
    EXPECT_EQ(error("events { accept_mutex_delay x; }")
                  .find("\"accept_mutex_delay\" directive invalid value"),
              0u);
    EXPECT_EQ(error("timer_resolutoin 1s;"),
              "unknown directive \"timer_resolutoin\" (did you mean \"timer_resolution\"?) in "
              "t.conf:1");
}

TEST_F(ApplyTest, ProxyProtocolToBackends)
{
    EXPECT_EQ(server("").proxy_protocol, ProxyProtocol::off);
    EXPECT_EQ(server("proxy_protocol on;").proxy_protocol, ProxyProtocol::v1);
    EXPECT_EQ(server("proxy_protocol V2;").proxy_protocol, ProxyProtocol::v2);
    EXPECT_EQ(server_error("proxy_protocol v3;"), "invalid value \"v3\" (off, on or v2 is wanted)");
}

TEST_F(ApplyTest, PeersThatMayNameClients)
{
    const auto ip = [](const char* text) { return *SocketAddress::parse_ip(text, 1); };
    const auto peers =
        server("set_real_ip_from 10.0.0.0/8; set_real_ip_from ::1; set_real_ip_from unix:;")
            .real_ip_from;
    ASSERT_EQ(peers.size(), 3u);
    EXPECT_TRUE(peers[0].network.contains(ip("10.1.2.3")));
    EXPECT_TRUE(peers[1].network.contains(ip("::1")));
    EXPECT_TRUE(peers[2].unix_socket);
    EXPECT_FALSE(peers[1].unix_socket);
    // Those of a server hide the others.
    EXPECT_EQ(server("set_real_ip_from ::1;", "set_real_ip_from ::2; set_real_ip_from ::3;")
                  .real_ip_from.size(),
              1u);
    EXPECT_EQ(server("", "set_real_ip_from ::2; set_real_ip_from ::3;").real_ip_from.size(), 2u);
    EXPECT_EQ(server_error("set_real_ip_from no.such.host.invalid;"),
              "host not found in set_real_ip_from \"no.such.host.invalid\" (an address, "
              "ADDRESS/BITS, unix: or a host name is wanted)");
    server("set_real_ip_from 10.1.0.0/8;");
    EXPECT_EQ(warnings_.at(0), "warn: low address bits of 10.1.0.0/8 are meaningless in t.conf:5");
}

TEST_F(ApplyTest, ConnectionsMustSufficeForTheListeningSockets)
{
    const auto with = [this](int connections, const std::string& listens) {
        return error("events { worker_connections " + std::to_string(connections) +
                     "; } mail { auth_http h; server { protocol imap; " + listens + " } }");
    };
    EXPECT_EQ(with(3, "listen 5; listen 6;"), "");
    EXPECT_EQ(with(2, "listen 5; listen 6;"),
              "2 worker_connections are not enough for 2 listening sockets");
    EXPECT_EQ(error("events { worker_connections 0; }"),
              "0 worker_connections are not enough for 0 listening sockets");
    // A wildcard takes other addresses' connections, unless they have a socket of their own.
    EXPECT_EQ(with(2, "listen 5; listen 127.0.0.1:5;"), "");
    EXPECT_EQ(with(2, "listen 5; listen 127.0.0.1:5 bind;"),
              "2 worker_connections are not enough for 2 listening sockets");
    EXPECT_EQ(with(2, "listen 5; listen [::1]:5;"),
              "2 worker_connections are not enough for 2 listening sockets");
}

TEST_F(ApplyTest, ConnectionsBeyondTheFileLimitAreWarnedOf)
{
    settings("worker_rlimit_nofile 1000; events { worker_connections 4000000000; }");
    EXPECT_EQ(warnings_, Strings{"warn: 4000000000 worker_connections exceed open file resource "
                                 "limit: 1000"});
    settings("worker_rlimit_nofile 4000000000; events { worker_connections 4000000000; }");
    EXPECT_TRUE(warnings_.empty());
}

TEST_F(ApplyTest, LeftOutProtocolsAreNamed)
{
    EXPECT_EQ(require_in_build(Protocol::imap).has_value(), POSTERN_IMAP != 0);
    EXPECT_EQ(require_in_build(Protocol::pop3).has_value(), POSTERN_POP3 != 0);
    EXPECT_EQ(require_in_build(Protocol::smtp).has_value(), POSTERN_SMTP != 0);
    for (const Protocol protocol : {Protocol::imap, Protocol::pop3, Protocol::smtp}) {
        if (const auto built = require_in_build(protocol); !built) {
            EXPECT_EQ(built.error(), fmt::format("\"{0}\" protocol was left out of this build "
                                                 "(--without-mail_{0}_module)",
                                                 to_string(protocol)));
        }
    }
}

}  // namespace
}  // namespace postern::config
