// Connections that have let go of OpenSSL's objects, with peers that have not.
#include <cerrno>

#include "tls/lean/witness.h"
#include "tls/testing.h"

namespace postern::tls {
namespace {

using Status = Io::Status;

struct Case {
    const char* name;
    const char* ciphersuite;
    bool server_is_lean;
};

class ConnectionLeanTest : public testing::TestWithParam<Case>
{
protected:
    ConnectionLeanTest()
        : server_context_(SSL_CTX_new(TLS_server_method())),
          client_context_(SSL_CTX_new(TLS_client_method()))
    {
        const Issued issued = issue({});
        SSL_CTX_use_certificate(server_context_.get(), issued.certificate.get());
        SSL_CTX_use_PrivateKey(server_context_.get(), issued.key.get());
        for (SSL_CTX* const context : {server_context_.get(), client_context_.get()}) {
            Connection::prepare(*context);
            SSL_CTX_set_ciphersuites(context, GetParam().ciphersuite);
        }
        lean::watch(GetParam().server_is_lean ? *server_context_ : *client_context_);
    }

    Connection& lean() const { return GetParam().server_is_lean ? pair_->server : pair_->client; }
    Connection& other() const { return GetParam().server_is_lean ? pair_->client : pair_->server; }
    Wire& wire_of_lean() const
    {
        return GetParam().server_is_lean ? pair_->server_wire : pair_->client_wire;
    }
    Wire& wire_of_other() const
    {
        return GetParam().server_is_lean ? pair_->client_wire : pair_->server_wire;
    }

    void shake_hands()
    {
        SslPtr server(SSL_new(server_context_.get()));
        SslPtr client(SSL_new(client_context_.get()));
        SSL_set_accept_state(server.get());
        SSL_set_connect_state(client.get());
        pair_ = std::make_unique<Pair>(std::move(server), std::move(client));
        ASSERT_TRUE(pair_->shake_hands());
    }
    // What any protocol does before the relay: both sides have said something.
    void talk()
    {
        other().write("a LOGIN");
        EXPECT_EQ(Pair::read(lean()), "a LOGIN");
        lean().write("a OK");
        EXPECT_EQ(Pair::read(other()), "a OK");
    }
    void let_go()
    {
        shake_hands();
        talk();
        lean().let_go();
        ASSERT_TRUE(lean().is_lean());
    }

    SslContextPtr server_context_;
    SslContextPtr client_context_;
    std::unique_ptr<Pair> pair_;
};

TEST_P(ConnectionLeanTest, GoesOnWhereOpenSslLeftOff)
{
    let_go();
    EXPECT_EQ(lean().ssl(), nullptr);
    EXPECT_EQ(lean().protocol(), "TLSv1.3");
    EXPECT_EQ(lean().cipher(), GetParam().ciphersuite);
    EXPECT_EQ(lean().description(), std::string("TLSv1.3, ") + GetParam().ciphersuite);
    for (int round = 0; round < 3; ++round) {
        talk();
    }
    const std::string bulk(Connection::kWriteMax, 'x');
    EXPECT_EQ(lean().write(bulk).bytes, bulk.size());
    EXPECT_EQ(Pair::read(other(), bulk.size()), bulk);
    EXPECT_EQ(other().write(bulk).bytes, bulk.size());
    std::string got;
    for (std::string part; !(part = Pair::read(lean(), bulk.size())).empty(); got += part) {
    }
    EXPECT_EQ(got, bulk);
}

INSTANTIATE_TEST_SUITE_P(Suites, ConnectionLeanTest,
                         testing::Values(Case{"Aes128Server", "TLS_AES_128_GCM_SHA256", true},
                                         Case{"Aes128Client", "TLS_AES_128_GCM_SHA256", false},
                                         Case{"Aes256Server", "TLS_AES_256_GCM_SHA384", true},
                                         Case{"Aes256Client", "TLS_AES_256_GCM_SHA384", false},
                                         Case{"ChaChaServer", "TLS_CHACHA20_POLY1305_SHA256", true},
                                         Case{"ChaChaClient", "TLS_CHACHA20_POLY1305_SHA256",
                                              false}),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace postern::tls
