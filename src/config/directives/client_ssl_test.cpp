// TLS where we are the client.
#include "config/testing.h"

namespace postern::config {
namespace {

using Strings = std::vector<std::string>;

struct Side {
    std::string prefix;
    ClientSsl MailServer::* settings;
};

class ClientSslTest : public ConfigTest, public testing::WithParamInterface<Side>
{
protected:
    // Of a server with "PREFIX_NAME ARGUMENTS;" for each of these.
    ClientSsl with(const Strings& in_server, const Strings& in_mail = {})
    {
        return server(written(in_server), written(in_mail)).*GetParam().settings;
    }

    std::string error_of(const std::string& directive)
    {
        return server_error(written({directive}));
    }

    static std::string name(const std::string& rest) { return GetParam().prefix + rest; }

private:
    static std::string written(const Strings& directives)
    {
        std::string text;
        for (const std::string& directive : directives) {
            text += name(directive) + ";\n";
        }
        return text;
    }
};

TEST_P(ClientSslTest, Defaults)
{
    const ClientSsl read = with({});
    EXPECT_FALSE(read.verify_is_written);
    EXPECT_EQ(read.verify_depth, 1u);
    EXPECT_EQ(read.name, "");
    EXPECT_EQ(read.trusted_certificate, Written{});
    EXPECT_EQ(read.crl, Written{});
    EXPECT_EQ(read.pair, SslPair{});
    EXPECT_EQ(read.password_file, Written{});
    EXPECT_EQ(read.protocols.names, (Strings{"TLSv1.2", "TLSv1.3"}));
    EXPECT_EQ(read.ciphers.text, "DEFAULT");
    EXPECT_TRUE(read.session_reuse);
    EXPECT_TRUE(read.conf_commands.empty());
}

TEST_P(ClientSslTest, Values)
{
    const ClientSsl read =
        with({"verify_depth 3", "name Mail.Example.com", "trusted_certificate a", "crl /b",
              "certificate c", "certificate_key data:KEY", "password_file d", "protocols tlsv1.3",
              "ciphers ECDHE", "session_reuse off", "conf_command A 1", "conf_command B 2"});
    const std::string folder = folder_ + "conf/";
    EXPECT_EQ(read.verify_depth, 3u);
    EXPECT_EQ(read.name, "Mail.Example.com");
    EXPECT_EQ(read.trusted_certificate.text, folder + "a");
    EXPECT_EQ(read.crl.text, "/b");
    EXPECT_EQ(read.pair.certificate.text, folder + "c");
    EXPECT_EQ(read.pair.key.text, "data:KEY");
    EXPECT_EQ(read.password_file.text, folder + "d");
    EXPECT_EQ(read.protocols.names, Strings{"TLSv1.3"});
    EXPECT_EQ(read.ciphers.text, "ECDHE");
    EXPECT_FALSE(read.session_reuse);
    ASSERT_EQ(read.conf_commands.size(), 2u);
    EXPECT_EQ(read.conf_commands[1].name, "B");
    EXPECT_EQ(local(read.trusted_certificate.where.text()), "t.conf:7");
    EXPECT_EQ(local(read.pair.certificate.where.text()), "t.conf:9");
    EXPECT_EQ(local(read.protocols.where.text()), "t.conf:12");
}

TEST_P(ClientSslTest, WhetherItIsWrittenIsKnown)
{
    EXPECT_TRUE(with({"verify on"}).verify);
    EXPECT_TRUE(with({"verify on"}).verify_is_written);
    EXPECT_FALSE(with({"verify OFF"}).verify);
    EXPECT_TRUE(with({"verify OFF"}).verify_is_written);
    EXPECT_TRUE(with({}, {"verify off"}).verify_is_written);
    EXPECT_TRUE(with({"server_name on"}).server_name);
    EXPECT_FALSE(with({"server_name off"}).server_name);
}

TEST_P(ClientSslTest, AServerInheritsAndMaySayOtherwise)
{
    EXPECT_EQ(with({}, {"name a"}).name, "a");
    EXPECT_EQ(with({"name b"}, {"name a"}).name, "b");
    EXPECT_EQ(with({"name \"\""}, {"name a"}).name, "");
    EXPECT_EQ(with({"trusted_certificate \"\""}, {"trusted_certificate a"}).trusted_certificate,
              Written{});
    EXPECT_EQ(with({"crl \"\""}, {"crl a"}).crl, Written{});
    EXPECT_EQ(
        with({"certificate \"\"", "certificate_key \"\""}, {"certificate a", "certificate_key b"})
            .pair,
        SslPair{});
    EXPECT_EQ(
        with({"conf_command A 1"}, {"conf_command B 2", "conf_command C 3"}).conf_commands.size(),
        1u);
    EXPECT_EQ(with({"protocols TLSv1.3"}, {"protocols TLSv1.2"}).protocols.names,
              Strings{"TLSv1.3"});
    EXPECT_EQ(with({}, {"protocols TLSv1.2", "protocols TLSv1.1"}).protocols.names.size(), 2u);
}

TEST_P(ClientSslTest, BadValues)
{
    EXPECT_EQ(error_of("verify maybe"), "invalid value \"maybe\" in \"" + name("verify") +
                                            "\" directive, it must be \"on\" or \"off\"");
    EXPECT_EQ(error_of("session_reuse 1"), "invalid value \"1\" in \"" + name("session_reuse") +
                                               "\" directive, it must be \"on\" or \"off\"");
    EXPECT_EQ(error_of("verify_depth x"),
              "\"" + name("verify_depth") + "\" directive invalid number (a number is wanted)");
    EXPECT_EQ(error_of("protocols foo").find("invalid value \"foo\" ("), 0u);
    EXPECT_EQ(error_of("ciphers \"\"").find("\"" + name("ciphers") + "\" directive invalid value"),
              0u);
    EXPECT_EQ(
        error_of("password_file \"\""),
        "\"" + name("password_file") + "\" directive invalid value (a file's name is wanted)");
    const std::string bad_name =
        "\"" + name("name") + "\" directive invalid value (a host's name or address is wanted)";
    EXPECT_EQ(error_of("name " + std::string(255, 'x')), "");
    EXPECT_EQ(error_of("name " + std::string(256, 'x')), bad_name);
    EXPECT_EQ(error_of("name \"a\\nb\""), bad_name);
    EXPECT_EQ(error_of("name a b").find("invalid number of arguments in \"" + name("name") + "\""),
              0u);
    EXPECT_EQ(error_of("conf_command a").find("invalid number of arguments"), 0u);
}

TEST_P(ClientSslTest, ScalarsMayComeOnceInABlock)
{
    for (const std::string directive :
         {"verify on", "verify_depth 1", "name a", "server_name on", "trusted_certificate a",
          "crl a", "certificate a", "certificate_key a", "password_file a", "ciphers a",
          "session_reuse on"}) {
        const std::string whole = name(directive);
        EXPECT_EQ(
            error(mail(whole + ";\n" + whole + ";")),
            "\"" + whole.substr(0, whole.find(' ')) + "\" directive is duplicate in t.conf:6");
    }
}

INSTANTIATE_TEST_SUITE_P(Sides, ClientSslTest,
                         testing::Values(Side{"proxy_ssl_", &MailServer::proxy_ssl_settings},
                                         Side{"auth_http_ssl_", &MailServer::auth_http_ssl}),
                         [](const auto& side) {
                             return side.param.prefix == "proxy_ssl_" ? "proxy" : "service";
                         });

using TlsOutwardsTest = ConfigTest;

// NGINX's http proxy doesn't look; the service decides who gets in, so there we do.
TEST_F(TlsOutwardsTest, WhoIsVerifiedByDefault)
{
    const MailServer read = server("");
    EXPECT_FALSE(read.proxy_ssl_settings.verify);
    EXPECT_FALSE(read.proxy_ssl_settings.server_name);
    EXPECT_TRUE(read.auth_http_ssl.verify);
    EXPECT_TRUE(read.auth_http_ssl.server_name);
}

TEST_F(TlsOutwardsTest, ProxySsl)
{
    EXPECT_EQ(server("").proxy_ssl, ProxySsl::off);
    EXPECT_EQ(server("proxy_ssl ON;").proxy_ssl, ProxySsl::on);
    EXPECT_EQ(server("proxy_ssl starttls;").proxy_ssl, ProxySsl::starttls);
    EXPECT_EQ(server("proxy_ssl off;", "proxy_ssl on;").proxy_ssl, ProxySsl::off);
    EXPECT_EQ(local(server("proxy_ssl on;").proxy_ssl_where.text()), "t.conf:5");
    EXPECT_EQ(server_error("proxy_ssl only;"),
              "invalid value \"only\" (off, on or starttls is wanted)");
    EXPECT_EQ(server_error("proxy_ssl on; proxy_ssl on;"), "\"proxy_ssl\" directive is duplicate");
}

}  // namespace
}  // namespace postern::config
