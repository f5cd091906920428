#include "tls/acceptor.h"

#include <malloc.h>

#include "tls/testing_site.h"

namespace postern::tls {
namespace {

using config::MailServer;

class AcceptorTest : public testing::Test
{
protected:
    void three()
    {
        ASSERT_TRUE(site.add({"a.example.com"}));
        ASSERT_TRUE(site.add({"b.example.com", "*.example.net"}));
        ASSERT_TRUE(site.add({"*.sub.example.net", "a.example.com"}));
    }
    std::size_t chosen(std::string_view name) { return site.acceptor().choose(name).index; }

    void offer(std::initializer_list<std::string_view> names)
    {
        std::string bytes;
        for (const std::string_view name : names) {
            bytes += static_cast<char>(name.size());
            bytes += name;
        }
        SSL_CTX_set_alpn_protos(visitor.context.get(),
                                reinterpret_cast<const unsigned char*>(bytes.data()),
                                static_cast<unsigned>(bytes.size()));
    }
    std::string agreed() const
    {
        const unsigned char* name = nullptr;
        unsigned size = 0;
        SSL_get0_alpn_selected(visitor.client(), &name, &size);
        return {reinterpret_cast<const char*>(name), size};
    }

    Site site;
    Visitor visitor;
};

TEST_F(AcceptorTest, TheExactNameWinsThenTheLongestWildcardThenTheFirst)
{
    three();
    EXPECT_EQ(chosen("a.example.com"), 100u);  // the third has it too, and comes later
    EXPECT_EQ(chosen("b.example.com"), 101u);
    EXPECT_EQ(chosen("x.example.net"), 101u);
    EXPECT_EQ(chosen("x.y.example.net"), 101u);
    EXPECT_EQ(chosen("x.sub.example.net"), 102u);
    EXPECT_EQ(chosen("x.y.sub.example.net"), 102u);
    EXPECT_EQ(chosen("sub.example.net"), 101u);
    EXPECT_EQ(chosen("example.net"), 100u);  // "*." stands for one label at least
    EXPECT_EQ(chosen("c.example.com"), 100u);
    EXPECT_EQ(chosen(""), 100u);
    EXPECT_EQ(chosen("."), 100u);
    EXPECT_EQ(chosen("*.example.net"), 101u);
}

TEST_F(AcceptorTest, CaseAndTheLastDotDoNotMatter)
{
    three();
    EXPECT_EQ(chosen("B.Example.COM"), 101u);
    EXPECT_EQ(chosen("b.example.com."), 101u);
    EXPECT_EQ(chosen("b.example.com.."), 100u);
}

TEST_F(AcceptorTest, ANameIsAsLongAsDnsAllows)  // RFC 1035 section 2.3.4
{
    three();
    const std::string_view domain = ".sub.example.net";
    const auto name = [&](std::size_t size) {
        return std::string(size - domain.size(), 'x') + std::string(domain);
    };
    EXPECT_EQ(chosen(name(255)), 102u);
    EXPECT_EQ(chosen(name(256)), 100u);
}

TEST_F(AcceptorTest, TheNameThatAClientAsksForPicksServerAndCertificate)
{
    three();
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        SSL_CTX_set_max_proto_version(visitor.context.get(), version);
        ASSERT_TRUE(visitor.visit(site, "B.example.com"));
        EXPECT_EQ(visitor.server_index(), 101u);
        EXPECT_EQ(visitor.common_name(), "b.example.com");
        ASSERT_TRUE(visitor.visit(site, "x.sub.example.net"));
        EXPECT_EQ(visitor.server_index(), 102u);
        EXPECT_EQ(visitor.common_name(), "*.sub.example.net");
        ASSERT_TRUE(visitor.visit(site, ""));
        EXPECT_EQ(visitor.server_index(), 100u);
        EXPECT_EQ(visitor.common_name(), "a.example.com");
        ASSERT_TRUE(visitor.visit(site, "unknown.example.org"));
        EXPECT_EQ(visitor.server_index(), 100u);
    }
}

TEST_F(AcceptorTest, EachServerHasItsVersionsWhoeverIsFirst)
{
    const auto old_only = [](MailServer& server) { server.ssl.protocols.names = {"TLSv1.2"}; };
    const auto new_only = [](MailServer& server) { server.ssl.protocols.names = {"TLSv1.3"}; };
    const auto ancient = [](MailServer& server) {
        server.ssl.protocols.names = {"TLSv1", "TLSv1.1", "TLSv1.2"};
    };
    ASSERT_TRUE(site.add({"old"}, old_only));
    ASSERT_TRUE(site.add({"new"}, new_only));
    ASSERT_TRUE(site.add({"ancient"}, ancient));
    const auto version = [&](const std::string& name, int most) {
        SSL_CTX_set_min_proto_version(visitor.context.get(), TLS1_VERSION);
        SSL_CTX_set_max_proto_version(visitor.context.get(), most);
        return visitor.visit(site, name) ? SSL_version(visitor.client()) : 0;
    };
    EXPECT_EQ(version("old", TLS1_3_VERSION), TLS1_2_VERSION);
    EXPECT_EQ(version("old", TLS1_1_VERSION), 0);
    EXPECT_EQ(version("new", TLS1_3_VERSION), TLS1_3_VERSION);
    EXPECT_EQ(version("new", TLS1_2_VERSION), 0);
    EXPECT_EQ(version("ancient", TLS1_3_VERSION), TLS1_2_VERSION);
    EXPECT_EQ(version("ancient", TLS1_1_VERSION), TLS1_1_VERSION);
    EXPECT_EQ(version("ancient", TLS1_VERSION), TLS1_VERSION);
}

TEST_F(AcceptorTest, EachServerHasItsCiphersCurvesAndCommands)
{
    ASSERT_TRUE(site.add({"narrow"}, [](MailServer& server) {
        server.ssl.ciphers = written("ECDHE-ECDSA-CHACHA20-POLY1305");
        server.ssl.ecdh_curve = written("P-521");
        server.ssl.conf_commands = {
            {"Ciphersuites", written("TLS_CHACHA20_POLY1305_SHA256")},
        };
        server.ssl.session_tickets = false;
    }));
    ASSERT_TRUE(site.add({"usual"}));
    SSL_CTX* const client = visitor.context.get();
    // A curve of its own: the first server's must not be left over.
    SSL_CTX_set1_groups_list(client, "X25519");
    EXPECT_FALSE(visitor.visit(site, "narrow"));
    EXPECT_TRUE(visitor.visit(site, "usual"));
    SSL_CTX_set1_groups_list(client, "P-521:P-256");
    visitor.session.reset();
    EXPECT_TRUE(visitor.visit(site, "narrow"));
    EXPECT_EQ(visitor.session, nullptr);  // without a ticket there's nothing to come back with
    EXPECT_TRUE(visitor.visit(site, "usual"));
    EXPECT_NE(visitor.session, nullptr);

    SSL_CTX_set_ciphersuites(client, "TLS_AES_128_GCM_SHA256");
    EXPECT_FALSE(visitor.visit(site, "narrow"));
    EXPECT_TRUE(visitor.visit(site, "usual"));
    SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(client, "ECDHE-ECDSA-AES128-GCM-SHA256");
    EXPECT_FALSE(visitor.visit(site, "narrow"));
    EXPECT_TRUE(visitor.visit(site, "usual"));
}

TEST_F(AcceptorTest, FilesThatCommandsNameAreReadOnlyOnce)  // a worker may not read keys
{
    ASSERT_TRUE(site.add({"first"}));
    ASSERT_TRUE(site.add({"second"}, [&](MailServer& server) {
        server.ssl.pairs.clear();
        pair_of(site.folder, "command", issue({.common_name = "by command"}));
        server.ssl.conf_commands = {{"Certificate", written("command.pem")},
                                    {"PrivateKey", written("command.key")},
                                    {"MaxProtocol", written("TLSv1.2")}};
    })) << site.error;
    std::filesystem::remove(site.folder.path() + "command.pem");
    std::filesystem::remove(site.folder.path() + "command.key");
    ASSERT_TRUE(visitor.visit(site, "second"));
    EXPECT_EQ(visitor.common_name(), "by command");
    EXPECT_EQ(SSL_version(visitor.client()), TLS1_2_VERSION);
}

TEST_F(AcceptorTest, EachServerHasItsViewOfClientCertificates)
{
    const Issued authority = make_authority();
    const Issued person = issue({.common_name = "alice", .issuer = &authority});
    ASSERT_TRUE(site.add({"open"}));
    ASSERT_TRUE(site.add({"closed"}, [&](MailServer& server) {
        server.ssl.verify_client = config::VerifyClient::on;
        server.ssl.client_certificate =
            written(site.folder.write("ca.pem", authority.certificate_pem()));
    }));
    ASSERT_TRUE(site.add({"revoked"}, [&](MailServer& server) {
        server.ssl = site.servers[1]->ssl;
        server.ssl.crl = written(site.folder.write("crl", revocation_list(authority, {&person})));
    }));
    SSL_CTX_use_certificate(visitor.context.get(), person.certificate.get());
    SSL_CTX_use_PrivateKey(visitor.context.get(), person.key.get());
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        SSL_CTX_set_max_proto_version(visitor.context.get(), version);
        const auto was_shown = [&] {
            return SSL_get0_peer_certificate(visitor.server()) != nullptr;
        };
        ASSERT_TRUE(visitor.visit(site, "open"));
        EXPECT_FALSE(was_shown());
        ASSERT_TRUE(visitor.visit(site, "closed"));
        EXPECT_TRUE(was_shown());
        EXPECT_EQ(SSL_get_verify_result(visitor.server()), X509_V_OK);
        ASSERT_TRUE(visitor.visit(site, "revoked"));  // the client is told in its protocol's words
        EXPECT_EQ(SSL_get_verify_result(visitor.server()), X509_V_ERR_CERT_REVOKED);
    }
}

TEST_F(AcceptorTest, AClientThatMeansAnotherProtocolIsRefused)  // RFC 7301 section 3.2
{
    ASSERT_TRUE(site.add({"a"}));
    ASSERT_TRUE(site.add({"b"}));
    for (const std::string name : {"a", "b"}) {
        for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
            SSL_CTX_set_max_proto_version(visitor.context.get(), version);
            offer({"imap"});
            EXPECT_TRUE(visitor.visit(site, name));
            EXPECT_EQ(agreed(), "imap");
            offer({"h2", "imap"});
            EXPECT_TRUE(visitor.visit(site, name));
            EXPECT_EQ(agreed(), "imap");
            for (const char* const other : {"http/1.1", "ima", "imap4", "IMAP", "pop3"}) {
                offer({other});
                EXPECT_FALSE(visitor.visit(site, name)) << other;
                EXPECT_NE(visitor.pair->client.error().find("no application protocol"),
                          std::string::npos)
                    << visitor.pair->client.error();
            }
        }
    }
}

TEST_F(AcceptorTest, AMillionRandomNamesLeaveNothingBehind)
{
    three();
    const Acceptor& acceptor = site.acceptor();
    std::string name = "n0000000.example.org";
    acceptor.choose(name);
    const std::size_t before = mallinfo2().uordblks;
    for (unsigned i = 0; i < 1'000'000; ++i) {
        name.replace(1, 7, std::to_string(1'000'000 + i));
        ASSERT_EQ(acceptor.choose(name).index, 100u);
    }
    EXPECT_LE(mallinfo2().uordblks, before + 1024);
}

TEST_F(AcceptorTest, HandshakesWithRandomNamesLeaveNothingBehind)
{
    three();
    const auto visit = [&](int i) {
        ASSERT_TRUE(visitor.visit(site, "n" + std::to_string(i) + ".example.net"));
        visitor.pair.reset();
        visitor.session.reset();
    };
    for (int i = 0; i < 500; ++i) {
        visit(i);
    }
    const std::size_t before = mallinfo2().uordblks;
    for (int i = 500; i < 4500; ++i) {
        visit(i);
    }
    // The library's pools grow a little and then stop: less than a name each.
    EXPECT_LE(mallinfo2().uordblks, before + 192 * 1024);
}

}  // namespace
}  // namespace postern::tls
