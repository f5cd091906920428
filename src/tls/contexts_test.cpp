#include "tls/contexts.h"

#include "tls/testing_site.h"

namespace postern::tls {
namespace {

using config::MailServer;

SocketAddress address(std::uint16_t port)
{
    return *SocketAddress::parse_ip("127.0.0.1", port);
}

class ContextsTest : public testing::Test
{
protected:
    // A server that listens with TLS, at a line of its own.
    MailServer& add(const std::vector<std::string>& names, std::uint16_t port = 993)
    {
        const auto line = static_cast<unsigned>(100 * (settings.servers.size() + 1));
        MailServer& server = settings.servers.emplace_back();
        server.where = {"postern.conf", line};
        server.names = names;
        server.server_name = names.empty() ? "host.example.com" : names.front();
        server.ssl = default_ssl();
        server.proxy_ssl_settings = client_ssl();
        server.auth_http_ssl = client_ssl();
        config::Listen& listen = server.listens.emplace_back();
        listen.address = address(port);
        listen.ssl = true;
        listen.where = {"postern.conf", line + 1};
        return server;
    }
    static config::ClientSsl client_ssl()
    {
        config::ClientSsl ssl;
        ssl.protocols = {{"TLSv1.2", "TLSv1.3"}, {"postern.conf", 1}};
        ssl.ciphers = written("DEFAULT", 2);
        return ssl;
    }
    void use(MailServer& server, const std::string& name, const Issued& issued)
    {
        server.ssl.pairs = {pair_of(folder, name, issued)};
    }

    std::unique_ptr<Contexts> load(const Contexts* old = nullptr)
    {
        warnings.clear();
        auto loaded = Contexts::load(settings, old, warnings);
        EXPECT_TRUE(loaded) << loaded.error().text;
        return loaded ? std::move(*loaded) : nullptr;
    }
    std::string error()
    {
        auto loaded = Contexts::load(settings, nullptr, warnings);
        return loaded ? "" : loaded.error().text;
    }
    static const Acceptor::Server& chosen(const Contexts& contexts, std::string_view name,
                                          std::uint16_t port = 993)
    {
        return contexts.acceptor(address(port))->choose(name);
    }
    static X509* certificate(const Acceptor::Server& server)
    {
        return SSL_CTX_get0_certificate(server.context->get());
    }

    Folder folder;
    config::Settings settings;
    std::vector<config::Warning> warnings;
};

TEST_F(ContextsTest, OnlyAddressesWithTlsHaveAnAcceptor)
{
    add({"a"}, 993);
    add({"plain"}, 143).listens[0].ssl = false;
    MailServer& starttls = add({"s"}, 110);
    starttls.listens[0].ssl = false;
    starttls.starttls = config::StartTls::on;
    const auto contexts = load();
    EXPECT_NE(contexts->acceptor(address(993)), nullptr);
    EXPECT_EQ(contexts->acceptor(address(143)), nullptr);
    EXPECT_NE(contexts->acceptor(address(110)), nullptr);
    EXPECT_EQ(contexts->acceptor(address(994)), nullptr);
}

TEST_F(ContextsTest, WhatAServerWithoutTlsNamesIsNotOpened)  // NGINX: not even loaded
{
    MailServer& server = add({"plain"});
    server.ssl.pairs = {{written("/nowhere/a.pem"), written("/nowhere/a.key")}};
    server.listens[0].ssl = false;
    EXPECT_EQ(error(), "");
    server.listens[0].ssl = true;
    EXPECT_NE(error().find("cannot load certificate \"/nowhere/a.pem\""), std::string::npos);
}

TEST_F(ContextsTest, TheDefaultServerIsFirstWhereverItStands)
{
    add({"a"});
    add({"b"}).listens[0].default_server = true;
    add({"c"});
    add({"d"}, 995);
    const auto contexts = load();
    EXPECT_EQ(chosen(*contexts, "unknown").index, 1u);
    EXPECT_EQ(chosen(*contexts, "a").index, 0u);
    EXPECT_EQ(chosen(*contexts, "c").index, 2u);
    EXPECT_EQ(chosen(*contexts, "a", 995).index, 3u);
}

TEST_F(ContextsTest, ServersThatSayTheSameShareAContext)
{
    const Issued issued = issue({.names = "DNS:a,DNS:b,DNS:c"});
    use(add({"a"}), "same", issued);
    use(add({"b"}), "same", issued);
    use(add({"c"}), "same", issued);
    settings.servers[2].ssl.session_tickets = false;
    const auto contexts = load();
    EXPECT_EQ(chosen(*contexts, "a").context, chosen(*contexts, "b").context);
    EXPECT_NE(chosen(*contexts, "a").context, chosen(*contexts, "c").context);
    EXPECT_TRUE(warnings.empty());
}

TEST_F(ContextsTest, ClientContextsToo)
{
    add({"a"});
    add({"b"});
    add({"c"}).proxy_ssl_settings.session_reuse = false;
    const auto contexts = load();
    ASSERT_NE(contexts->for_backends(0), nullptr);
    EXPECT_EQ(contexts->for_backends(0), contexts->for_backends(1));
    EXPECT_NE(contexts->for_backends(0), contexts->for_backends(2));
}

TEST_F(ContextsTest, TheServiceHasOneIfItIsHttps)
{
    add({"a"});
    config::AuthHttp service;
    add({"b"}).auth = service;
    service.https = true;
    add({"c"}).auth = service;
    const auto contexts = load();
    EXPECT_EQ(contexts->for_auth_http(0), nullptr);
    EXPECT_EQ(contexts->for_auth_http(1), nullptr);
    EXPECT_NE(contexts->for_auth_http(2), nullptr);
}

TEST_F(ContextsTest, WithoutACertificateOneIsMadeAndItsPlaceIsTold)
{
    add({"mail.example.com", "*.example.org"});
    const auto contexts = load();
    X509* const made = certificate(chosen(*contexts, ""));
    ASSERT_NE(made, nullptr);
    EXPECT_EQ(X509_check_host(made, "mail.example.com", 0, 0, nullptr), 1);
    EXPECT_EQ(X509_check_host(made, "x.example.org", 0, 0, nullptr), 1);
    EXPECT_NE(X509_check_host(made, "example.net", 0, 0, nullptr), 1);
    Visitor visitor;  // who trusts it needs nothing else
    X509_STORE_add_cert(SSL_CTX_get_cert_store(visitor.context.get()), made);
    SSL_CTX_set_verify(visitor.context.get(), SSL_VERIFY_PEER, nullptr);
    SslPtr client(SSL_new(visitor.context.get()));
    SSL_set1_host(client.get(), "mail.example.com");
    SSL_set_connect_state(client.get());
    Pair pair(contexts->acceptor(address(993))->accept(), std::move(client));
    EXPECT_TRUE(pair.shake_hands()) << pair.client.error();
    ASSERT_EQ(warnings.size(), 1u);
    EXPECT_EQ(warnings[0].level, LogLevel::warn);
    EXPECT_EQ(warnings[0].text,
              "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive in "
              "postern.conf:101, a self-signed certificate for \"mail.example.com\" is used, which "
              "clients will warn of");
}

TEST_F(ContextsTest, StarttlsIsNamedWhereNoListenIsToBlame)
{
    MailServer& server = add({});
    server.listens[0].ssl = false;
    server.starttls = config::StartTls::only;
    server.starttls_where = {"postern.conf", 33};
    load();
    ASSERT_EQ(warnings.size(), 1u);
    EXPECT_TRUE(warnings[0].text.starts_with(
        "no \"ssl_certificate\" is defined for the \"starttls\" directive in postern.conf:33, a "
        "self-signed certificate for \"host.example.com\" is used"))
        << warnings[0].text;
}

TEST_F(ContextsTest, ASelfSignedCertificateFitsAnyName)
{
    const std::string label(60, 'x');
    for (const std::string& name :
         {label + "." + label + ".example.com", std::string("192.0.2.1"),
          std::string("2001:db8::1"), std::string("a,DNS:evil.example.com")}) {
        settings.servers.clear();
        add({name});
        const auto contexts = load();
        X509* const made = certificate(chosen(*contexts, ""));
        ASSERT_NE(made, nullptr) << name;
        const bool is_address = X509_check_ip_asc(made, name.c_str(), 0) == 1;
        EXPECT_TRUE(is_address || name.find(',') != std::string::npos ||
                    X509_check_host(made, name.c_str(), 0, 0, nullptr) == 1)
            << name;
        EXPECT_NE(X509_check_host(made, "evil.example.com", 0, 0, nullptr), 1);
    }
}

TEST_F(ContextsTest, AReloadKeepsTheSelfSignedCertificateWhileTheNamesAreTheSame)
{
    add({"a"});
    const auto first = load();
    const auto second = load(first.get());
    EXPECT_EQ(certificate(chosen(*first, "")), certificate(chosen(*second, "")));
    EXPECT_EQ(warnings.size(), 1u);  // told each time
    settings.servers[0].names = {"a", "b"};
    const auto third = load(second.get());
    EXPECT_NE(certificate(chosen(*first, "")), certificate(chosen(*third, "")));
}

TEST_F(ContextsTest, AServersNameThatItsCertificateLacksIsWarnedOf)
{
    use(add({"a.example.com", "*.b.example.com", "c.example.com"}), "cert",
        issue({.names = "DNS:a.example.com,DNS:*.b.example.com"}));
    load();
    ASSERT_EQ(warnings.size(), 1u);
    EXPECT_EQ(warnings[0].text,
              "certificate \"" + folder.path() +
                  "cert.pem\" is not for \"c.example.com\", the \"server_name\" of a server in "
                  "postern.conf:11");
}

TEST_F(ContextsTest, AReloadKeepsTicketsAndTheZonesOfTheSameSize)
{
    use(add({"a"}), "a", issue({.names = "DNS:a"}));
    use(add({"b"}), "b", issue({.names = "DNS:b"}));
    config::Ssl& cached = settings.servers[1].ssl;
    cached.session_tickets = false;
    cached.session_cache.zone = "SSL";
    cached.session_cache.zone_bytes = 64 * 1024;
    Visitor visitor;
    const auto visit = [&](const Contexts& contexts, const std::string& name, bool again) {
        SslPtr client(SSL_new(visitor.context.get()));
        SSL_set_tlsext_host_name(client.get(), name.c_str());
        if (again) {
            SSL_set_session(client.get(), visitor.session.get());
        }
        SSL_set_connect_state(client.get());
        Pair pair(contexts.acceptor(address(993))->accept(), std::move(client));
        EXPECT_TRUE(pair.shake_hands());
        pair.server.write("* OK\r\n");
        Pair::read(pair.client);
        return SSL_session_reused(pair.client.ssl()) == 1;
    };
    for (const std::string name : {"a", "b"}) {
        const auto first = load();
        EXPECT_FALSE(visit(*first, name, false));
        const auto second = load(first.get());
        EXPECT_TRUE(visit(*second, name, true)) << name;
        EXPECT_FALSE(visit(*load(), name, true)) << name;  // nothing in common
    }
    const auto first = load();
    EXPECT_FALSE(visit(*first, "b", false));
    cached.session_cache.zone_bytes *= 2;
    EXPECT_FALSE(visit(*load(first.get()), "b", true));
}

TEST_F(ContextsTest, TicketKeysThatAreWrittenAreLoaded)
{
    MailServer& server = add({"a"});
    use(server, "a", issue({.names = "DNS:a"}));
    server.ssl.session_ticket_keys = {written(folder.write("key", std::string(47, 'k')), 15)};
    EXPECT_EQ(error(), "\"" + folder.path() + "key\" must be 48 or 80 bytes in postern.conf:15");
    folder.write("key", std::string(48, 'k'));
    EXPECT_EQ(error(), "");
}

TEST_F(ContextsTest, AKeyThatStaysShutNamesTheDirectiveOfItsSide)
{
    const auto issued = issue({.names = "DNS:a"});
    const config::SslPair pair{written(folder.write("cert", issued.certificate_pem()), 11),
                               written(folder.write("key", issued.key_pem("sesame")), 12)};
    MailServer& server = add({"a"});
    use(server, "a", issued);
    server.ssl.pairs.front().key = pair.key;
    EXPECT_NE(error().find(" and \"ssl_password_file\" names none"), std::string::npos) << error();
    use(server, "a", issued);
    server.proxy_ssl_settings.pair = pair;
    EXPECT_NE(error().find(" and \"proxy_ssl_password_file\" names none"), std::string::npos)
        << error();
    server.proxy_ssl_settings.pair = {};
    server.auth = config::AuthHttp{.host = "service.test", .https = true};
    server.auth_http_ssl.pair = pair;
    EXPECT_NE(error().find(" and \"auth_http_ssl_password_file\" names none"), std::string::npos)
        << error();
}

TEST_F(ContextsTest, ErrorsOfClientSidesAreToldToo)
{
    add({"a"}).proxy_ssl_settings.trusted_certificate = written("/nowhere/ca.pem", 17);
    const std::string text = error();
    EXPECT_TRUE(text.starts_with("SSL_CTX_load_verify_locations(\"/nowhere/ca.pem\") failed"))
        << text;
    EXPECT_TRUE(text.ends_with(" in postern.conf:17")) << text;
}

}  // namespace
}  // namespace postern::tls
