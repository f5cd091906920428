#include "tls/server_context.h"

#include "tls/testing_site.h"

namespace postern::tls {
namespace {

using config::MailServer;
using config::VerifyClient;

class ServerContextTest : public testing::Test
{
protected:
    bool add(const std::string& name, const Site::Change& change = {})
    {
        return site.add({name}, change);
    }
    void use_version(int version)
    {
        SSL_CTX_set_min_proto_version(visitor.context.get(), version);
        SSL_CTX_set_max_proto_version(visitor.context.get(), version);
    }

    Site site;
    Visitor visitor;
};

constexpr int kVersions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

TEST_F(ServerContextTest, NothingElseThanTls12And13ByDefault)
{
    ASSERT_TRUE(add("a"));
    use_version(TLS1_1_VERSION);
    EXPECT_FALSE(visitor.visit(site, "a"));
    for (const int version : kVersions) {
        use_version(version);
        EXPECT_TRUE(visitor.visit(site, "a"));
    }
    EXPECT_TRUE(site.warnings.empty());
}

TEST_F(ServerContextTest, WeakCiphersAreNotSpokenByDefault)
{
    ASSERT_TRUE(add("a", [&](MailServer& server) {
        server.ssl.pairs = {pair_of(site.folder, "rsa", issue({.is_rsa = true}))};
    }));
    use_version(TLS1_2_VERSION);
    ASSERT_EQ(SSL_CTX_set_cipher_list(visitor.context.get(), "aNULL:eNULL:MD5:@SECLEVEL=0"), 1);
    EXPECT_FALSE(visitor.visit(site, "a"));
    ASSERT_EQ(SSL_CTX_set_cipher_list(visitor.context.get(), "AES256-GCM-SHA384"), 1);
    EXPECT_TRUE(visitor.visit(site, "a"));
}

TEST_F(ServerContextTest, WhoseOrderOfCiphersCountsIsWritten)
{
    const auto ciphers = [](MailServer& server) {
        server.ssl.ciphers = written("ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256");
    };
    ASSERT_TRUE(add("theirs", ciphers));
    ASSERT_TRUE(add("ours", [&](MailServer& server) {
        ciphers(server);
        server.ssl.prefer_server_ciphers = true;
    }));
    use_version(TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(visitor.context.get(),
                            "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384");
    ASSERT_TRUE(visitor.visit(site, "theirs"));
    EXPECT_STREQ(SSL_get_cipher_name(visitor.client()), "ECDHE-ECDSA-AES128-GCM-SHA256");
    ASSERT_TRUE(visitor.visit(site, "ours"));
    EXPECT_STREQ(SSL_get_cipher_name(visitor.client()), "ECDHE-ECDSA-AES256-GCM-SHA384");
}

TEST_F(ServerContextTest, TheClientGetsTheKindOfCertificateThatItUnderstands)
{
    ASSERT_TRUE(add("a", [&](MailServer& server) {
        server.ssl.pairs = {
            pair_of(site.folder, "rsa", issue({.common_name = "r", .is_rsa = true})),
            pair_of(site.folder, "ec", issue({.common_name = "e"}))};
    }));
    use_version(TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(visitor.context.get(), "aRSA");
    ASSERT_TRUE(visitor.visit(site, "a"));
    EXPECT_EQ(visitor.common_name(), "r");
    SSL_CTX_set_cipher_list(visitor.context.get(), "aECDSA");
    ASSERT_TRUE(visitor.visit(site, "a"));
    EXPECT_EQ(visitor.common_name(), "e");
}

TEST_F(ServerContextTest, DheWantsItsParameters)
{
    const auto rsa = [&](MailServer& server) {
        server.ssl.pairs = {pair_of(site.folder, "rsa", issue({.is_rsa = true}))};
    };
    const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> maker(
        EVP_PKEY_CTX_new_from_name(nullptr, "DH", nullptr), EVP_PKEY_CTX_free);
    char group[] = "ffdhe2048";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string("group", group, 0),
                                     OSSL_PARAM_construct_end()};
    EVP_PKEY* made = nullptr;
    ASSERT_EQ(EVP_PKEY_paramgen_init(maker.get()), 1);
    ASSERT_EQ(EVP_PKEY_CTX_set_params(maker.get(), parameters), 1);
    ASSERT_EQ(EVP_PKEY_paramgen(maker.get(), &made), 1);
    const KeyPtr owned(made);
    const BioPtr out(BIO_new(BIO_s_mem()));
    PEM_write_bio_Parameters(out.get(), made);

    ASSERT_TRUE(add("without", rsa));
    ASSERT_TRUE(add("with", [&](MailServer& server) {
        rsa(server);
        server.ssl.dhparam = written(site.folder.write("dh.pem", content(*out)));
    })) << site.error;
    use_version(TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(visitor.context.get(), "kDHE");
    EXPECT_FALSE(visitor.visit(site, "without"));
    EXPECT_TRUE(visitor.visit(site, "with"));
}

TEST_F(ServerContextTest, WhatCannotBeUsedIsAnErrorInNginxsWords)
{
    const auto error = [&](const Site::Change& change) {
        EXPECT_FALSE(add("a", change));
        return std::exchange(site.error, "");
    };
    const auto expect = [](const std::string& text, const std::string& start) {
        EXPECT_TRUE(text.starts_with(start)) << text;
        EXPECT_TRUE(text.ends_with(" in postern.conf:9")) << text;
    };
    expect(error([](auto& server) { server.ssl.ciphers = written("NONE-SUCH", 9); }),
           "SSL_CTX_set_cipher_list(\"NONE-SUCH\") failed (SSL: error:");
    expect(error([](auto& server) { server.ssl.ecdh_curve = written("P-1:P-2", 9); }),
           "SSL_CTX_set1_curves_list(\"P-1:P-2\") failed");
    expect(error([](auto& server) { server.ssl.dhparam = written("/nowhere/dh", 9); }),
           "BIO_new_file(\"/nowhere/dh\") failed (SSL: error:");
    const std::string empty = site.folder.write("empty", "");
    expect(error([&](auto& server) { server.ssl.dhparam = written(empty, 9); }),
           "PEM_read_bio_Parameters(\"" + empty + "\") failed (SSL: error:");
    expect(error([&](auto& server) {
               server.ssl.conf_commands = {{"Options", written("NoSuch", 9)}};
           }),
           "SSL_CONF_cmd(\"Options\", \"NoSuch\") failed (SSL: error:");
}

TEST_F(ServerContextTest, AVersionThatIsWrittenWorksThoughOpensslLooksDownOnIt)
{
    ASSERT_TRUE(add("a", [](auto& server) { server.ssl.protocols.names = {"TLSv1"}; }));
    use_version(TLS1_VERSION);
    EXPECT_TRUE(visitor.visit(site, "a"));
}

// Client certificates. The handshake always completes: what is wrong is looked at afterwards.

TEST_F(ServerContextTest, VerdictsOnClientCertificates)
{
    const Issued authority = make_authority();
    const Issued stranger = make_authority("Stranger");
    const Issued good = issue({.common_name = "good", .issuer = &authority});
    const Issued bad = issue({.common_name = "bad", .issuer = &authority});
    const Issued unknown = issue({.common_name = "unknown", .issuer = &stranger});
    const Issued expired = issue({.issuer = &authority, .ends = -60});
    const std::string list = revocation_list(authority, {&bad});
    ASSERT_TRUE(add("a", [&](MailServer& server) {
        server.ssl.verify_client = VerifyClient::on;
        server.ssl.trusted_certificate =
            written(site.folder.write("ca", authority.certificate_pem()));
        server.ssl.crl = written(site.folder.write("crl", list));
    })) << site.error;
    const auto verdict = [&](const Issued& issued) {
        SSL_CTX_use_certificate(visitor.context.get(), issued.certificate.get());
        SSL_CTX_use_PrivateKey(visitor.context.get(), issued.key.get());
        EXPECT_TRUE(visitor.visit(site, "a"));
        EXPECT_NE(SSL_get0_peer_certificate(visitor.server()), nullptr);
        return SSL_get_verify_result(visitor.server());
    };
    for (const int version : kVersions) {
        use_version(version);
        EXPECT_EQ(verdict(good), X509_V_OK);
        EXPECT_EQ(verdict(bad), X509_V_ERR_CERT_REVOKED);
        EXPECT_EQ(verdict(expired), X509_V_ERR_CERT_HAS_EXPIRED);
        EXPECT_NE(verdict(unknown), X509_V_OK);
    }
}

TEST_F(ServerContextTest, WhoHasNoCertificateIsLetThroughTheHandshake)
{
    ASSERT_TRUE(add("a", [](auto& server) { server.ssl.verify_client = VerifyClient::on; }));
    EXPECT_TRUE(visitor.visit(site, "a"));
    EXPECT_EQ(SSL_get0_peer_certificate(visitor.server()), nullptr);
}

TEST_F(ServerContextTest, OnlyClientCertificatesOfOneDirectiveAreNamedToClients)
{
    const Issued named = make_authority("Named");
    const Issued unnamed = make_authority("Unnamed");
    ASSERT_TRUE(add("first"));
    ASSERT_TRUE(add("a", [&](MailServer& server) {
        server.ssl.verify_client = VerifyClient::optional;
        server.ssl.client_certificate = written(site.folder.write("n", named.certificate_pem()));
        server.ssl.trusted_certificate = written(site.folder.write("u", unnamed.certificate_pem()));
    }));
    for (const int version : kVersions) {
        use_version(version);
        static int names;
        static X509_NAME* told;
        names = 0;
        SSL_CTX_set_client_cert_cb(visitor.context.get(), [](SSL* ssl, X509**, EVP_PKEY**) {
            const STACK_OF(X509_NAME)* const list = SSL_get0_peer_CA_list(ssl);
            names = sk_X509_NAME_num(list);
            X509_NAME_free(told);
            told = names > 0 ? X509_NAME_dup(sk_X509_NAME_value(list, 0)) : nullptr;
            return 0;
        });
        ASSERT_TRUE(visitor.visit(site, "a"));
        EXPECT_EQ(names, 1);
        EXPECT_EQ(X509_NAME_cmp(told, X509_get_subject_name(named.certificate.get())), 0);
        X509_NAME_free(std::exchange(told, nullptr));
    }
}

TEST_F(ServerContextTest, AChainIsAsDeepAsAllowed)
{
    const Issued root = make_authority("Root");
    const Issued middle = issue({.common_name = "M", .issuer = &root, .is_authority = true});
    const Issued lower = issue({.common_name = "L", .issuer = &middle, .is_authority = true});
    const Issued leaf = issue({.common_name = "leaf", .issuer = &lower});
    ASSERT_TRUE(add("first"));
    for (const unsigned depth : {1u, 2u}) {
        ASSERT_TRUE(add("depth" + std::to_string(depth), [&](MailServer& server) {
            server.ssl.verify_client = VerifyClient::on;
            server.ssl.verify_depth = depth;
            server.ssl.trusted_certificate =
                written(site.folder.write("root", root.certificate_pem()));
        }));
    }
    SSL_CTX_use_certificate(visitor.context.get(), leaf.certificate.get());
    SSL_CTX_use_PrivateKey(visitor.context.get(), leaf.key.get());
    SSL_CTX_add1_chain_cert(visitor.context.get(), lower.certificate.get());
    SSL_CTX_add1_chain_cert(visitor.context.get(), middle.certificate.get());
    ASSERT_TRUE(visitor.visit(site, "depth1"));
    EXPECT_NE(SSL_get_verify_result(visitor.server()), X509_V_OK);
    ASSERT_TRUE(visitor.visit(site, "depth2"));
    EXPECT_EQ(SSL_get_verify_result(visitor.server()), X509_V_OK);
}

}  // namespace
}  // namespace postern::tls
