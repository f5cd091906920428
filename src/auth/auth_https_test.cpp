// The service behind "https://": what it must show before it is told a password.
#include "auth/testing.h"
#include "net/dns_testing.h"
#include "tls/testing.h"

namespace postern::auth {
namespace {

using tls::Wanted;

class AuthHttpsTest : public AuthHttpTest
{
protected:
    AuthHttpsTest()
    {
        settings_.verify = true;
        settings_.verify_depth = 1;
        settings_.server_name = true;
        settings_.protocols.names = {"TLSv1.2", "TLSv1.3"};
        settings_.ciphers.text = "DEFAULT";
        settings_.trusted_certificate.text =
            certificates_.write("ca.pem", authority_.certificate_pem());
    }

    // A service's side of TLS with this certificate.
    ssl_ctx_st* with(Wanted wanted)
    {
        const tls::Issued issued = tls::issue(wanted);
        tls::SslContextPtr made(SSL_CTX_new(TLS_server_method()));
        SSL_CTX_use_certificate(made.get(), issued.certificate.get());
        SSL_CTX_use_PrivateKey(made.get(), issued.key.get());
        SSL_CTX_set_session_id_context(made.get(), reinterpret_cast<const unsigned char*>("test"),
                                       4);
        contexts_.push_back(std::move(made));
        return contexts_.back().get();
    }
    ssl_ctx_st* good(const std::string& names = "IP:127.0.0.1")
    {
        return with({.common_name = "", .names = names, .issuer = &authority_});
    }

    // Loads what the settings say by then.
    Verdict ask_https(config::AuthHttp where, unsigned times = 1)
    {
        std::vector<config::Warning> warnings;
        tls::Loading loading{warnings, certificates_.path()};
        auto context = tls::ClientContext::load(settings_, loading);
        EXPECT_TRUE(context);
        context_ = std::move(*context);
        service_.tls = context_.get();
        where.https = true;
        return ask(std::move(where), times);
    }
    Verdict ask_https(const Service& service, unsigned times = 1)
    {
        return ask_https(at(service.port()), times);
    }
    static std::string address(const Service& service)
    {
        return "127.0.0.1:" + std::to_string(service.port());
    }

    // The service was met and then told nothing, and the log says why.
    void expect_distrust(ssl_ctx_st* shown, const std::string& problem)
    {
        Service service({{.answers = {{kOk10}}, .tls = shown}});
        EXPECT_TRUE(failed(ask_https(service)));
        const std::vector<Heard> heard = service.heard();
        ASSERT_EQ(heard.size(), 1u);
        EXPECT_EQ(heard[0].bytes, "");
        EXPECT_TRUE(is_logged("[error]"));
        EXPECT_TRUE(is_logged("auth http server " + address(service) + " " + problem +
                              " while in http auth state, client: 192.0.2.1"))
            << log_text();
    }

    const tls::Issued authority_ = tls::make_authority();
    const tls::Folder certificates_;
    config::ClientSsl settings_;
    std::unique_ptr<tls::ClientContext> context_;

private:
    std::vector<tls::SslContextPtr> contexts_;
};

TEST_F(AuthHttpsTest, AsksUnderTls)
{
    Service service({{.answers = {{kOk10}}, .tls = good()}});
    const Verdict verdict = ask_https(service);
    ASSERT_NE(mailbox(verdict), nullptr);
    EXPECT_EQ(mailbox(verdict)->host, "127.0.0.1");
    ASSERT_EQ(service.requests().size(), 1u);
    EXPECT_TRUE(service.requests()[0].starts_with("GET /auth HTTP/1.0\r\nHost: 127.0.0.1\r\n"));
    EXPECT_EQ(service.heard()[0].name, "");  // an address is not asked for: RFC 6066 section 3
    EXPECT_EQ(log_text(), "");
}

TEST_F(AuthHttpsTest, AsksForTheHostOfTheUrl)
{
    Service service({{.answers = {{kOk10}}, .tls = good("DNS:localhost")}});
    EXPECT_NE(mailbox(ask_https(at(service.port(), "localhost"))), nullptr);
    EXPECT_EQ(service.heard()[0].name, "localhost");
}

TEST_F(AuthHttpsTest, AsksForTheNameOfTheSettings)
{
    settings_.name = "auth.example.com";
    Service service({{.answers = {{kOk10}}, .tls = good("DNS:auth.example.com")}});
    EXPECT_NE(mailbox(ask_https(service)), nullptr);
    EXPECT_EQ(service.heard()[0].name, "auth.example.com");
}

TEST_F(AuthHttpsTest, TheNameOfTheSettingsIsTheOnlyOne)
{
    settings_.name = "auth.example.com";
    expect_distrust(good(), "SSL certificate does not match \"auth.example.com\"");
}

TEST_F(AuthHttpsTest, TellsNothingToAStranger)
{
    expect_distrust(with({.common_name = "", .names = "IP:127.0.0.1"}),
                    "SSL certificate verify error: (18:self-signed certificate)");
}

TEST_F(AuthHttpsTest, TellsNothingUnderAnotherName)
{
    expect_distrust(good("DNS:localhost"), "SSL certificate does not match \"127.0.0.1\"");
}

TEST_F(AuthHttpsTest, TellsNothingAfterTheCertificateHasExpired)
{
    expect_distrust(
        with({.common_name = "", .names = "IP:127.0.0.1", .issuer = &authority_, .ends = -60}),
        "SSL certificate verify error: (10:certificate has expired)");
}

TEST_F(AuthHttpsTest, AnyCertificateWillDoUnlessItIsVerified)
{
    settings_.verify = false;
    Service service({{.answers = {{kOk10}}, .tls = with({.common_name = "stranger"})}});
    EXPECT_NE(mailbox(ask_https(service)), nullptr);
    EXPECT_EQ(log_text(), "");
}

TEST_F(AuthHttpsTest, LogsAFailedHandshake)
{
    ssl_ctx_st* const old = good();
    SSL_CTX_set_max_proto_version(old, TLS1_2_VERSION);
    settings_.protocols.names = {"TLSv1.3"};
    Service service({{.answers = {{kOk10}}, .tls = old}});
    EXPECT_TRUE(failed(ask_https(service)));
    EXPECT_FALSE(service.heard()[0].shook_hands);
    EXPECT_TRUE(is_logged("[error]"));
    EXPECT_TRUE(
        is_logged("auth http server " + address(service) + ": SSL_do_handshake() failed (SSL: "))
        << log_text();
}

TEST_F(AuthHttpsTest, LogsAServiceThatStallsInTheHandshake)
{
    Service service({{.answers = {{kOk10}}}});  // without TLS: our hello is no request to it
    service_.timeout = 200ms;
    EXPECT_TRUE(failed(ask_https(service)));
    EXPECT_EQ(service.heard()[0].bytes.find("Auth-Pass"), std::string::npos);
    EXPECT_TRUE(is_logged("auth http server " + address(service) +
                          " timed out (110: Connection timed out) while in http auth state"))
        << log_text();
}

TEST_F(AuthHttpsTest, LogsAServiceThatHangsUpInTheHandshake)
{
    Service service({Script{}});  // accepts and closes
    EXPECT_TRUE(failed(ask_https(service)));
    EXPECT_TRUE(is_logged("[error]"));
    EXPECT_TRUE(is_logged("auth http server " + address(service) + ": ")) << log_text();
}

TEST_F(AuthHttpsTest, TriesTheNextAddressWhereTlsFails)
{
    net::DnsServer dns(loop_);
    dns.add("auth.example.test", net::DnsServer::kA, "127.0.0.1");
    dns.add("auth.example.test", net::DnsServer::kA, "127.0.0.2");
    resolver_ = std::make_unique<net::Resolver>(loop_, dns.settings(), net::Resolver::Sources::dns);
    ssl_ctx_st* const right = good("DNS:auth.example.test");
    ssl_ctx_st* const wrong = good("DNS:other.example.test");
    Service first({{.answers = {{kOk10}}, .tls = wrong}});
    Service second({{.answers = {{kOk10}}, .tls = right}}, "127.0.0.2", first.port());
    EXPECT_NE(mailbox(ask_https(at(first.port(), "auth.example.test"))), nullptr);
    EXPECT_EQ(first.heard()[0].bytes, "");
    EXPECT_EQ(second.requests().size(), 1u);
    EXPECT_TRUE(is_logged("auth http server " + address(first) +
                          " SSL certificate does not match \"auth.example.test\" while"))
        << log_text();
}

TEST_F(AuthHttpsTest, KeepsTheConnection)
{
    service_.keepalive = 2;
    Service service({{.answers = {{kOk11}, {kOk11}, {kOk11}}, .stays_open = true, .tls = good()}});
    EXPECT_NE(mailbox(ask_https(service, 3)), nullptr);
    EXPECT_EQ(service.connections(), 1u);
    EXPECT_EQ(service.requests().size(), 3u);
    EXPECT_EQ(connections_->size(), 1u);
    EXPECT_EQ(log_text(), "");
}

TEST_F(AuthHttpsTest, AsksOnANewConnectionWhenAKeptOneIsClosed)
{
    service_.keepalive = 2;
    ssl_ctx_st* const certificate = good();
    Service service(
        {{.answers = {{kOk11}}, .tls = certificate}, {.answers = {{kOk11}}, .tls = certificate}});
    EXPECT_NE(mailbox(ask_https(service, 2)), nullptr);
    EXPECT_EQ(service.connections(), 2u);
    EXPECT_EQ(log_text(), "");
}

TEST_F(AuthHttpsTest, ResumesTheSession)
{
    ssl_ctx_st* const certificate = good();
    const Script script{.answers = {{kOk10}}, .tls = certificate};
    Service service({script, script});
    EXPECT_NE(mailbox(ask_https(service, 2)), nullptr);
    const std::vector<Heard> heard = service.heard();
    ASSERT_EQ(heard.size(), 2u);
    EXPECT_FALSE(heard[0].resumed);
    EXPECT_TRUE(heard[1].resumed);
}

}  // namespace
}  // namespace postern::auth
