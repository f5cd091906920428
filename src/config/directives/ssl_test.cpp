// TLS with clients: values, repetition and inheritance.
#include "config/testing.h"

namespace postern::config {
namespace {

using SslTest = ConfigTest;
using Strings = std::vector<std::string>;

TEST_F(SslTest, Defaults)
{
    const MailServer read = server("listen 993 ssl;");
    const Ssl& ssl = read.ssl;
    EXPECT_EQ(read.starttls, StartTls::off);
    EXPECT_TRUE(ssl.pairs.empty());
    EXPECT_EQ(ssl.password_file, Written{});
    EXPECT_EQ(ssl.protocols.names, (Strings{"TLSv1.2", "TLSv1.3"}));
    EXPECT_EQ(ssl.ciphers.text, "HIGH:!aNULL:!MD5");
    EXPECT_TRUE(ssl.prefer_server_ciphers);
    EXPECT_EQ(ssl.ecdh_curve.text, "auto");
    EXPECT_EQ(ssl.dhparam, Written{});
    EXPECT_EQ(ssl.session_cache, SslSessionCache{});
    EXPECT_EQ(ssl.session_timeout, seconds(300));
    EXPECT_TRUE(ssl.session_tickets);
    EXPECT_TRUE(ssl.session_ticket_keys.empty());
    EXPECT_EQ(ssl.verify_client, VerifyClient::off);
    EXPECT_EQ(ssl.verify_depth, 1u);
    EXPECT_EQ(ssl.client_certificate, Written{});
    EXPECT_EQ(ssl.trusted_certificate, Written{});
    EXPECT_EQ(ssl.crl, Written{});
    EXPECT_TRUE(ssl.conf_commands.empty());
    EXPECT_FALSE(ssl.lean);
    EXPECT_FALSE(read.auth_http_pass_client_cert);
    EXPECT_TRUE(warnings_.empty());
}

TEST_F(SslTest, FilesAreBelowTheConfigurationsDirectory)
{
    const Ssl ssl = server(
                        "listen 993 ssl; ssl_password_file a; ssl_dhparam b; ssl_crl c;\n"
                        "ssl_client_certificate d; ssl_trusted_certificate /e;\n"
                        "ssl_session_ticket_key f; ssl_session_ticket_key /g;")
                        .ssl;
    const std::string folder = folder_ + "conf/";
    EXPECT_EQ(ssl.password_file.text, folder + "a");
    EXPECT_EQ(ssl.dhparam.text, folder + "b");
    EXPECT_EQ(ssl.crl.text, folder + "c");
    EXPECT_EQ(ssl.client_certificate.text, folder + "d");
    EXPECT_EQ(ssl.trusted_certificate.text, "/e");
    ASSERT_EQ(ssl.session_ticket_keys.size(), 2u);
    EXPECT_EQ(ssl.session_ticket_keys[0].text, folder + "f");
    EXPECT_EQ(ssl.session_ticket_keys[1].text, "/g");
    EXPECT_EQ(local(ssl.dhparam.where.text()), "t.conf:5");
    EXPECT_EQ(local(ssl.client_certificate.where.text()), "t.conf:6");
    EXPECT_EQ(local(ssl.session_ticket_keys[1].where.text()), "t.conf:7");
}

TEST_F(SslTest, AnEmptyNameTakesAnInheritedFileAway)
{
    EXPECT_EQ(server("ssl_dhparam \"\";", "ssl_dhparam a;").ssl.dhparam.text, "");
    EXPECT_EQ(server("ssl_crl \"\";", "ssl_crl a;").ssl.crl.text, "");
    EXPECT_EQ(server("ssl_client_certificate \"\";", "ssl_client_certificate a;")
                  .ssl.client_certificate.text,
              "");
    EXPECT_EQ(server("ssl_trusted_certificate \"\";", "ssl_trusted_certificate a;")
                  .ssl.trusted_certificate.text,
              "");
    for (const std::string name : {"ssl_certificate", "ssl_certificate_key", "ssl_password_file",
                                   "ssl_session_ticket_key"}) {
        EXPECT_EQ(server_error(name + " \"\";"),
                  "\"" + name + "\" directive invalid value (a file's name is wanted)");
    }
}

TEST_F(SslTest, Protocols)
{
    const auto names = [this](const char* in_server, const char* in_mail = "") {
        return server(in_server, in_mail).ssl.protocols.names;
    };
    EXPECT_EQ(names("ssl_protocols tlsv1.3;"), Strings{"TLSv1.3"});
    EXPECT_EQ(names("ssl_protocols SSLv2 SSLv3 TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;").size(), 6u);
    EXPECT_EQ(names("", "ssl_protocols TLSv1.2; ssl_protocols TLSv1.3;").size(), 2u);
    EXPECT_EQ(names("ssl_protocols TLSv1.3;", "ssl_protocols TLSv1.2;"), Strings{"TLSv1.3"});
    EXPECT_TRUE(warnings_.empty());
    EXPECT_EQ(names("ssl_protocols TLSv1.2; ssl_protocols TLSv1.2 TLSv1.3;"),
              (Strings{"TLSv1.2", "TLSv1.3"}));
    EXPECT_EQ(warnings_, Strings{"warn: duplicate value \"TLSv1.2\" in t.conf:5"});
    EXPECT_EQ(server_error("ssl_protocols TLSv1.4;"),
              "invalid value \"TLSv1.4\" (TLSv1.2 or TLSv1.3, or TLSv1, TLSv1.1, SSLv2, SSLv3 is "
              "wanted)");
    EXPECT_EQ(local(server("ssl_protocols TLSv1.3;").ssl.protocols.where.text()), "t.conf:5");
}

TEST_F(SslTest, WhatOpenSslReadsIsKeptAsItIs)
{
    const Ssl ssl = server(
                        "ssl_ciphers ECDHE:!SHA1; ssl_ecdh_curve X25519:prime256v1;\n"
                        "ssl_conf_command Options PrioritizeChaCha;\n"
                        "ssl_conf_command Ciphersuites \"\";")
                        .ssl;
    EXPECT_EQ(ssl.ciphers.text, "ECDHE:!SHA1");
    EXPECT_EQ(ssl.ecdh_curve.text, "X25519:prime256v1");
    EXPECT_EQ(local(ssl.ecdh_curve.where.text()), "t.conf:5");
    ASSERT_EQ(ssl.conf_commands.size(), 2u);
    EXPECT_EQ(ssl.conf_commands[0].name, "Options");
    EXPECT_EQ(ssl.conf_commands[0].value.text, "PrioritizeChaCha");
    EXPECT_EQ(ssl.conf_commands[1].value.text, "");
    EXPECT_EQ(local(ssl.conf_commands[1].value.where.text()), "t.conf:7");
    for (const std::string name : {"ssl_ciphers", "ssl_ecdh_curve"}) {
        const std::string message =
            "\"" + name + "\" directive invalid value (a list as OpenSSL writes it is wanted)";
        EXPECT_EQ(server_error(name + " \"\";"), message);
        EXPECT_EQ(server_error(name + " \"a\\nb\";"), message);
    }
    EXPECT_EQ(server_error("ssl_conf_command Options;"),
              "invalid number of arguments in \"ssl_conf_command\" directive (1 given, 2 wanted)");
}

TEST_F(SslTest, ListsOfAServerReplaceThoseOfMail)
{
    const Ssl ssl =
        server("ssl_session_ticket_key /a; ssl_conf_command A 1;",
               "ssl_session_ticket_key /b; ssl_session_ticket_key /c; ssl_conf_command B 2;")
            .ssl;
    ASSERT_EQ(ssl.session_ticket_keys.size(), 1u);
    EXPECT_EQ(ssl.session_ticket_keys[0].text, "/a");
    ASSERT_EQ(ssl.conf_commands.size(), 1u);
    EXPECT_EQ(ssl.conf_commands[0].name, "A");
    const Ssl inherited =
        server("", "ssl_session_ticket_key /b; ssl_session_ticket_key /c; ssl_conf_command B 2;")
            .ssl;
    EXPECT_EQ(inherited.session_ticket_keys.size(), 2u);
    EXPECT_EQ(inherited.conf_commands.size(), 1u);
}

TEST_F(SslTest, FlagsNumbersAndWords)
{
    EXPECT_FALSE(server("ssl_session_tickets OFF;").ssl.session_tickets);
    EXPECT_FALSE(server("ssl_prefer_server_ciphers off;").ssl.prefer_server_ciphers);
    EXPECT_TRUE(server("auth_http_pass_client_cert on;").auth_http_pass_client_cert);
    EXPECT_EQ(server_error("ssl_session_tickets maybe;"),
              "invalid value \"maybe\" in \"ssl_session_tickets\" directive, it must be \"on\" or "
              "\"off\"");
    for (const std::string word : {"on", "OFF"}) {
        const MailServer read = server("ssl_lean " + word + ";", "ssl_lean on;");
        EXPECT_EQ(read.ssl.lean, word == "on");
        EXPECT_EQ(read.proxy_ssl_settings.lean, word == "on");
        EXPECT_FALSE(read.auth_http_ssl.lean);
    }
    EXPECT_EQ(server_error("ssl_lean 1;"),
              "invalid value \"1\" in \"ssl_lean\" directive, it must be \"on\" or \"off\"");
    EXPECT_EQ(server("ssl_verify_depth 0;").ssl.verify_depth, 0u);
    EXPECT_EQ(server("ssl_verify_depth 100;").ssl.verify_depth, 100u);
    EXPECT_EQ(server("ssl_verify_depth 4000000000;").ssl.verify_depth, 100u);
    for (const std::string bad : {"x", "-1", "4294967296", "\"\""}) {
        EXPECT_EQ(server_error("ssl_verify_depth " + bad + ";"),
                  "\"ssl_verify_depth\" directive invalid number (a number is wanted)");
    }
    using enum VerifyClient;
    const std::pair<const char*, VerifyClient> modes[] = {
        {"off", off}, {"ON", on}, {"optional", optional}, {"Optional_No_CA", optional_no_ca}};
    for (const auto& [word, mode] : modes) {
        const Ssl ssl = server("ssl_verify_client " + std::string(word) + ";").ssl;
        EXPECT_EQ(ssl.verify_client, mode) << word;
        EXPECT_EQ(local(ssl.verify_client_where.text()), "t.conf:5");
    }
    EXPECT_EQ(server_error("ssl_verify_client maybe;"),
              "invalid value \"maybe\" (off, on, optional or optional_no_ca is wanted)");
    EXPECT_EQ(server_error("ssl_verify_client opt;").find("invalid value \"opt\""), 0u);
}

TEST_F(SslTest, ScalarsMayComeOnceInABlock)
{
    for (const std::string directive :
         {"ssl_password_file a", "ssl_certificate_compression off", "ssl_dhparam a",
          "ssl_ecdh_curve a", "ssl_ciphers a", "ssl_prefer_server_ciphers on",
          "ssl_session_timeout 5", "ssl_session_tickets on", "ssl_verify_client off",
          "ssl_verify_depth 1", "ssl_client_certificate a", "ssl_trusted_certificate a",
          "ssl_crl a", "ssl_lean on", "starttls off", "auth_http_pass_client_cert on"}) {
        const std::string name = directive.substr(0, directive.find(' '));
        EXPECT_EQ(error(mail(directive + ";\n" + directive + ";")),
                  "\"" + name + "\" directive is duplicate in t.conf:6");
        EXPECT_EQ(server_error(directive + ";", directive + ";"), "") << name;
    }
}

TEST_F(SslTest, SessionCache)
{
    using Own = SslSessionCache::Own;
    const auto cache = [this](const char* in_server, const char* in_mail = "") {
        return server(std::string("listen 993 ssl;") + in_server, in_mail).ssl.session_cache;
    };
    const auto expected = [](Own own, unsigned sessions, std::string zone, std::size_t bytes) {
        SslSessionCache result;
        result.own = own;
        result.builtin_sessions = sessions;
        result.zone = std::move(zone);
        result.zone_bytes = bytes;
        return result;
    };
    constexpr std::size_t kMega = 1 << 20;
    EXPECT_EQ(cache("ssl_session_cache off;"), expected(Own::off, 0, "", 0));
    EXPECT_EQ(cache("ssl_session_cache shared:a:1m;"), expected(Own::none, 0, "a", kMega));
    EXPECT_EQ(cache("ssl_session_cache shared:a:1m builtin:500;"),
              expected(Own::builtin, 500, "a", kMega));
    EXPECT_EQ(cache("ssl_session_cache builtin;"), expected(Own::builtin, 0, "", 0));
    EXPECT_EQ(cache("ssl_session_cache shared:a:1m; ssl_session_cache builtin;"),
              expected(Own::builtin, 0, "a", kMega));
    EXPECT_EQ(cache("ssl_session_cache builtin:9 shared:a:1m; ssl_session_cache shared:b:2m;"),
              expected(Own::builtin, 9, "b", 2 * kMega));
    EXPECT_EQ(cache("ssl_session_cache builtin:9; ssl_session_cache builtin;"),
              expected(Own::builtin, 0, "", 0));
    EXPECT_EQ(cache("ssl_session_cache shared:a:32k;"), expected(Own::none, 0, "a", 32768));
    EXPECT_EQ(local(cache("ssl_session_cache off;").where.text()), "t.conf:5");
}

// NGINX: "off" and "none" decide wherever they stand, and each part is inherited by itself.
TEST_F(SslTest, SessionCacheInParts)
{
    using Own = SslSessionCache::Own;
    const auto cache = [this](const char* in_server, const char* in_mail = "") {
        const SslSessionCache read =
            server(std::string("listen 993 ssl;") + in_server, in_mail).ssl.session_cache;
        return std::pair(read.own, read.zone);
    };
    using Parts = std::pair<Own, std::string>;
    EXPECT_EQ(cache("ssl_session_cache none shared:a:1m;"), Parts(Own::none, ""));
    EXPECT_EQ(cache("ssl_session_cache shared:a:1m off;"), Parts(Own::off, ""));
    EXPECT_EQ(cache("ssl_session_cache none shared:a:1m; ssl_session_cache builtin;"),
              Parts(Own::builtin, "a"));
    EXPECT_EQ(cache("", "ssl_session_cache shared:a:1m;"), Parts(Own::none, "a"));
    EXPECT_EQ(cache("ssl_session_cache builtin;", "ssl_session_cache shared:a:1m;"),
              Parts(Own::builtin, "a"));
    EXPECT_EQ(cache("ssl_session_cache none;", "ssl_session_cache shared:a:1m;"),
              Parts(Own::none, ""));
    EXPECT_EQ(cache("ssl_session_cache shared:b:1m;", "ssl_session_cache builtin:5;"),
              Parts(Own::none, "b"));
    EXPECT_EQ(cache("ssl_session_cache shared:b:1m;", "ssl_session_cache off;"),
              Parts(Own::none, "b"));
}

TEST_F(SslTest, BadSessionCaches)
{
    EXPECT_EQ(server_error("ssl_session_cache shared:a:32767;"),
              "session cache \"shared:a:32767\" is too small (32k or more is wanted)");
    for (const std::string bad : {"foo", "shared:", "shared:a", "shared::1m", "shared:a:x",
                                  "shared:a:1g", "builtin:", "builtin:x", "OFF", "\"\""}) {
        const std::string text = bad == "\"\"" ? "" : bad;
        EXPECT_EQ(server_error("ssl_session_cache " + bad + ";")
                      .find("invalid session cache \"" + text + "\" ("),
                  0u)
            << bad;
    }
}

// Even where no TLS is used, and even if the directive is replaced by another.
TEST_F(SslTest, AZoneHasOneSize)
{
    const std::string conflict =
        "the size 2097152 of shared memory zone \"a\" conflicts with already declared size 1048576";
    EXPECT_EQ(error("mail { auth_http h; server { listen 143; ssl_session_cache shared:a:1m; }\n"
                    "server { listen 110;\nssl_session_cache shared:a:2m; } }"),
              conflict + " in t.conf:3");
    EXPECT_EQ(error(mail("ssl_session_cache shared:a:1m;\nssl_session_cache shared:a:2m;")),
              conflict + " in t.conf:6");
    EXPECT_EQ(error("mail { auth_http h; server { listen 143; ssl_session_cache shared:a:1m; }\n"
                    "server { listen 110; ssl_session_cache shared:a:1024k shared:b:2m; } }"),
              "");
}

TEST_F(SslTest, SslOnIsNoDirective)
{
    EXPECT_EQ(server_error("ssl on;"),
              "unknown directive \"ssl\" (\"listen ... ssl\" switches TLS on)");
    EXPECT_EQ(server_error("", "ssl off;"),
              "unknown directive \"ssl\" (\"listen ... ssl\" switches TLS on)");
}

}  // namespace
}  // namespace postern::config
