#include "tls/client_context.h"

#include "tls/testing.h"

namespace postern::tls {
namespace {

using Target = ClientContext::Target;

// A client made from settings, and a server that shows it whatever certificate a test wants.
class ClientContextTest : public testing::Test
{
protected:
    ClientContextTest() : authority_(make_authority())
    {
        settings_.verify_depth = 1;
        settings_.protocols.names = {"TLSv1.2", "TLSv1.3"};
        settings_.ciphers.text = "DEFAULT";
        settings_.trusted_certificate = written("ca.pem", authority_.certificate_pem());
        show({.names = "DNS:mail.example.com", .issuer = &authority_});
    }

    config::Written written(const std::string& name, const std::string& content, unsigned line = 1)
    {
        return {folder_.write(name, content), {"test.conf", line}};
    }

    std::string load(ClientContext::Verifies verifies = ClientContext::Verifies::maybe)
    {
        Loading loading{warnings_, folder_.path()};
        auto made = ClientContext::load(settings_, loading, verifies);
        if (!made) {
            return made.error().text;
        }
        context_ = std::move(*made);
        return "";
    }

    // From now on the server has this certificate.
    void show(const Wanted& wanted)
    {
        server_context_.reset(SSL_CTX_new(TLS_server_method()));
        shown_ = issue(wanted);
        SSL_CTX_use_certificate(server_context_.get(), shown_.certificate.get());
        SSL_CTX_use_PrivateKey(server_context_.get(), shown_.key.get());
        SSL_CTX_set_session_id_context(server_context_.get(),
                                       reinterpret_cast<const unsigned char*>("test"), 4);
    }

    // One connection, in which the server says a word after the handshake: behind its tickets.
    bool visit(const Target& target)
    {
        if (!context_) {
            EXPECT_EQ(load(), "");
        }
        SslPtr server(SSL_new(server_context_.get()));
        SSL_set_accept_state(server.get());
        Pair pair(std::move(server), context_->connect(target));
        const bool done = pair.shake_hands();
        problem_ = "none was looked for";
        auto* const ssl = const_cast<SSL*>(pair.client.ssl());
        if (done) {
            problem_ = context_->problem(ssl, target);
            EXPECT_EQ(pair.server.write("hello").bytes, 5u);
            EXPECT_EQ(Pair::read(pair.client), "hello");
        }
        is_resumed_ = SSL_session_reused(ssl) == 1;
        version_ = pair.client.protocol();
        cipher_ = pair.client.cipher();
        const char* const asked = SSL_get_servername(pair.server.ssl(), TLSEXT_NAMETYPE_host_name);
        asked_ = asked == nullptr ? "nothing" : asked;
        X509* const own = SSL_get0_peer_certificate(pair.server.ssl());
        shows_own_ = own != nullptr;
        return done;
    }
    std::string problem(const Target& target)
    {
        EXPECT_TRUE(visit(target));
        return problem_;
    }
    bool resumes(const Target& target)
    {
        EXPECT_TRUE(visit(target));
        return is_resumed_;
    }

    Folder folder_;
    Issued authority_;
    Issued shown_;
    config::ClientSsl settings_;
    std::vector<config::Warning> warnings_;
    std::unique_ptr<ClientContext> context_;
    SslContextPtr server_context_;

    // Of the last visit.
    std::string problem_;
    bool is_resumed_ = false;
    std::string version_;
    std::string cipher_;
    std::string asked_;
    bool shows_own_ = false;
};

const Target kMail{.address = "192.0.2.1:993", .name = "mail.example.com"};

Target named(const std::string& name)
{
    return {.address = kMail.address, .name = name};
}

TEST_F(ClientContextTest, ACertificateOfATrustedAuthorityIsFine)
{
    EXPECT_EQ(problem(kMail), "");
    EXPECT_EQ(problem(named("MAIL.example.com")), "");
    EXPECT_EQ(version_, "TLSv1.3");
}

TEST_F(ClientContextTest, AnotherNameIsRefused)
{
    EXPECT_EQ(problem(named("imap.example.com")),
              "SSL certificate does not match \"imap.example.com\"");
    EXPECT_EQ(problem(named("")), "SSL certificate does not match \"\"");
    EXPECT_EQ(problem(named("mail.example.com.evil.org")),
              "SSL certificate does not match \"mail.example.com.evil.org\"");
    EXPECT_EQ(problem(named("192.0.2.1")), "SSL certificate does not match \"192.0.2.1\"");
}

TEST_F(ClientContextTest, AWildcardIsForOneLabel)  // RFC 6125 section 6.4.3
{
    show({.names = "DNS:*.example.com", .issuer = &authority_});
    EXPECT_EQ(problem(named("imap.example.com")), "");
    EXPECT_NE(problem(named("a.imap.example.com")), "");
    EXPECT_NE(problem(named("example.com")), "");
}

TEST_F(ClientContextTest, AnAddressMayBeTheName)
{
    show({.names = "IP:192.0.2.7,IP:2001:db8::7", .issuer = &authority_});
    EXPECT_EQ(problem(named("192.0.2.7")), "");
    EXPECT_EQ(problem(named("2001:db8:0::7")), "");
    EXPECT_EQ(problem(named("192.0.2.8")), "SSL certificate does not match \"192.0.2.8\"");
}

TEST_F(ClientContextTest, UntrustedCertificatesAreRefused)
{
    show({.names = "DNS:mail.example.com"});
    EXPECT_EQ(problem(kMail), "SSL certificate verify error: (18:self-signed certificate)");
    const Issued stranger = make_authority("Stranger");
    show({.names = "DNS:mail.example.com", .issuer = &stranger});
    EXPECT_EQ(problem(kMail),
              "SSL certificate verify error: (20:unable to get local issuer certificate)");
    show({.names = "DNS:mail.example.com", .issuer = &authority_, .begins = -200, .ends = -100});
    EXPECT_EQ(problem(kMail), "SSL certificate verify error: (10:certificate has expired)");
    show({.names = "DNS:mail.example.com", .issuer = &authority_, .begins = 1000});
    EXPECT_EQ(problem(kMail), "SSL certificate verify error: (9:certificate is not yet valid)");
}

TEST_F(ClientContextTest, WhoDoesNotVerifyMindsNothing)
{
    show({.names = "DNS:mail.example.com"});
    Target target = named("imap.example.com");
    target.verify = false;
    EXPECT_EQ(problem(target), "");
}

TEST_F(ClientContextTest, WithoutAFileTheSystemIsAskedWhomToTrust)
{
    settings_.trusted_certificate = {};
    EXPECT_EQ(problem(kMail),
              "SSL certificate verify error: (20:unable to get local issuer certificate)");
    const std::string file = folder_.write("system.pem", authority_.certificate_pem());
    ::setenv(X509_get_default_cert_file_env(), file.c_str(), 1);
    context_.reset();
    EXPECT_EQ(problem(kMail), "");
    ASSERT_EQ(load(ClientContext::Verifies::never), "");
    EXPECT_NE(problem(kMail), "") << "nobody is trusted where nobody was to be verified";
    settings_.trusted_certificate = written("ca.pem", make_authority("Own CA").certificate_pem());
    context_.reset();
    EXPECT_NE(problem(kMail), "") << "a file that is written stands for all others";
    ::unsetenv(X509_get_default_cert_file_env());
}

TEST_F(ClientContextTest, RevokedCertificatesAreRefused)
{
    settings_.crl = written("crl.pem", revocation_list(authority_, {&shown_}));
    EXPECT_EQ(problem(kMail), "SSL certificate verify error: (23:certificate revoked)");
    show({.names = "DNS:mail.example.com", .issuer = &authority_});
    EXPECT_EQ(problem(kMail), "");
}

TEST_F(ClientContextTest, ChainsAreAsLongAsAllowed)
{
    const Issued middle =
        issue({.common_name = "Middle", .issuer = &authority_, .is_authority = true});
    show({.names = "DNS:mail.example.com", .issuer = &middle});
    SSL_CTX_add1_chain_cert(server_context_.get(), middle.certificate.get());
    EXPECT_EQ(problem(kMail), "");
    settings_.verify_depth = 0;
    context_.reset();
    EXPECT_EQ(problem(kMail), "SSL certificate verify error: (22:certificate chain too long)");
}

TEST_F(ClientContextTest, AsksForTheNameIfItShallAndIsOne)
{
    EXPECT_TRUE(visit(kMail));
    EXPECT_EQ(asked_, "nothing");
    settings_.server_name = true;
    context_.reset();
    EXPECT_TRUE(visit(kMail));
    EXPECT_EQ(asked_, "mail.example.com");
    for (const char* name : {"192.0.2.7", "2001:db8::7", ""}) {  // RFC 6066 section 3
        EXPECT_TRUE(visit(named(name)));
        EXPECT_EQ(asked_, "nothing") << name;
    }
}

TEST_F(ClientContextTest, ShowsItsOwnCertificate)
{
    const auto ask = [this] {
        SSL_CTX_set_verify(server_context_.get(), SSL_VERIFY_PEER,
                           [](int, X509_STORE_CTX*) { return 1; });
    };
    ask();
    EXPECT_TRUE(visit(kMail));
    EXPECT_FALSE(shows_own_);
    const Issued own = issue({.common_name = "proxy"});
    settings_.pair.certificate = written("own.pem", own.certificate_pem());
    settings_.pair.key = written("own.key", own.key_pem("open sesame"));
    settings_.password_file = written("phrases", "wrong\nopen sesame\n");
    context_.reset();
    EXPECT_TRUE(visit(kMail));
    EXPECT_TRUE(shows_own_);
}

TEST_F(ClientContextTest, SpeaksNoOtherVersionThanItMay)
{
    settings_.protocols.names = {"TLSv1.2"};
    settings_.ciphers.text = "ECDHE-ECDSA-CHACHA20-POLY1305";
    EXPECT_TRUE(visit(kMail));
    EXPECT_EQ(version_, "TLSv1.2");
    EXPECT_EQ(cipher_, "ECDHE-ECDSA-CHACHA20-POLY1305");
    SSL_CTX_set_min_proto_version(server_context_.get(), TLS1_3_VERSION);
    EXPECT_FALSE(visit(kMail));
}

TEST_F(ClientContextTest, CommandsHaveTheLastWord)
{
    settings_.conf_commands = {
        {"MaxProtocol", {"TLSv1.2", {"test.conf", 5}}},
        {"CipherString", {"ECDHE-ECDSA-AES128-GCM-SHA256", {"test.conf", 6}}}};
    EXPECT_TRUE(visit(kMail));
    EXPECT_EQ(version_, "TLSv1.2");
    EXPECT_EQ(cipher_, "ECDHE-ECDSA-AES128-GCM-SHA256");
}

TEST_F(ClientContextTest, WhatCannotBeLoadedIsNamedWithItsPlace)
{
    const config::ClientSsl good = settings_;
    const auto error = [&](auto change) {
        settings_ = good;
        change(settings_);
        return load();
    };
    const config::Written none{folder_.path() + "none", {"test.conf", 9}};
    for (const auto& text :
         {error([&](auto& ssl) { ssl.trusted_certificate = none; }),
          error([&](auto& ssl) { ssl.crl = none; }),
          error([&](auto& ssl) { ssl.pair = {none, none}; }),
          error([](auto& ssl) { ssl.ciphers = {"NONE-SUCH", {"test.conf", 9}}; }),
          error([](auto& ssl) { ssl.conf_commands = {{"Nonsense", {"1", {"test.conf", 9}}}}; })}) {
        EXPECT_TRUE(text.ends_with("in test.conf:9")) << text;
        EXPECT_NE(text.find("failed"), std::string::npos) << text;
    }
}

TEST_F(ClientContextTest, SessionsAreResumed)
{
    for (const char* version : {"TLSv1.2", "TLSv1.3"}) {
        settings_.protocols.names = {version};
        context_.reset();
        EXPECT_FALSE(resumes(kMail));
        for (int i = 0; i < 3; ++i) {
            EXPECT_TRUE(resumes(kMail)) << version;
            EXPECT_EQ(problem_, "");
        }
    }
}

TEST_F(ClientContextTest, OnlyForTheSameTarget)
{
    EXPECT_FALSE(resumes(kMail));
    const Target others[] = {
        {.address = "192.0.2.2:993", .name = kMail.name},
        {.address = "192.0.2.1:995", .name = kMail.name},
        {.address = kMail.address, .name = "imap.example.com"},
        {.address = kMail.address, .name = kMail.name, .verify = false},
    };
    for (const Target& other : others) {
        EXPECT_FALSE(resumes(other)) << other.address << other.name << other.verify;
    }
    EXPECT_TRUE(resumes(kMail));
}

TEST_F(ClientContextTest, AnUnverifiedSessionServesNobodyWhoVerifies)
{
    show({.names = "DNS:mail.example.com"});
    Target careless = kMail;
    careless.verify = false;
    EXPECT_FALSE(resumes(careless));
    EXPECT_TRUE(resumes(careless));
    EXPECT_EQ(problem(kMail), "SSL certificate verify error: (18:self-signed certificate)");
    EXPECT_FALSE(is_resumed_);
}

TEST_F(ClientContextTest, SessionsOfTheUnwelcomeAreNotKept)
{
    for (const char* version : {"TLSv1.2", "TLSv1.3"}) {
        settings_.protocols.names = {version};
        context_.reset();
        const Target wrong = named("imap.example.com");
        EXPECT_NE(problem(wrong), "");
        EXPECT_NE(problem(wrong), "");
        EXPECT_FALSE(is_resumed_) << version;
    }
}

TEST_F(ClientContextTest, AGoodSessionGoesWhenItsServerTurnsBad)
{
    EXPECT_FALSE(resumes(kMail));
    EXPECT_TRUE(resumes(kMail));
    show({.names = "DNS:mail.example.com"});
    EXPECT_NE(problem(kMail), "");
    EXPECT_FALSE(is_resumed_);
    EXPECT_NE(problem(kMail), "");
}

TEST_F(ClientContextTest, NoSessionsIfTheyAreNotWanted)
{
    settings_.session_reuse = false;
    EXPECT_FALSE(resumes(kMail));
    EXPECT_FALSE(resumes(kMail));
}

TEST_F(ClientContextTest, ATargetThatWasLongNotSeenIsForgotten)
{
    const auto target = [](int number) {
        return Target{.address = fmt::format("192.0.2.1:{}", number), .name = kMail.name};
    };
    constexpr int kKept = 1024;
    for (int i = 0; i < kKept; ++i) {
        EXPECT_FALSE(resumes(target(i)));
    }
    EXPECT_TRUE(resumes(target(0)));       // and so it is the newest
    EXPECT_FALSE(resumes(target(kKept)));  // one too many
    EXPECT_TRUE(resumes(target(0)));
    EXPECT_FALSE(resumes(target(1)));
}

}  // namespace
}  // namespace postern::tls
