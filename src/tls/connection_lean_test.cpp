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
        : server_context_(new_context(TLS_server_method())),
          client_context_(new_context(TLS_client_method()))
    {
        const Issued issued = issue({});
        SSL_CTX_use_certificate(server_context_.get(), issued.certificate.get());
        SSL_CTX_use_PrivateKey(server_context_.get(), issued.key.get());
        for (SSL_CTX* const context : {server_context_.get(), client_context_.get()}) {
            Connection::prepare(*context);
            SSL_CTX_set_ciphersuites(context, GetParam().ciphersuite);
        }
        EXPECT_TRUE(lean::watch(GetParam().server_is_lean ? *server_context_ : *client_context_));
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

// What a server says after its handshake, and a client reads, has numbers too.
TEST_P(ConnectionLeanTest, TicketsAreCounted)
{
    for (const std::size_t tickets : {0u, 1u, 2u, 5u}) {
        SSL_CTX_set_num_tickets(server_context_.get(), tickets);
        let_go();
        talk();
    }
}

TEST_P(ConnectionLeanTest, KeyUpdatesAreCounted)
{
    for (const int request : {SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED}) {
        for (int updates = 1; updates <= 3; ++updates) {
            shake_hands();
            for (int i = 0; i < updates; ++i) {
                for (Connection* const one : {&other(), &lean()}) {     // in either mode: both are
                    ASSERT_EQ(SSL_key_update(one->ssl(), request), 1);  // OpenSSL's still
                }
                talk();
            }
            lean().let_go();
            ASSERT_TRUE(lean().is_lean());
            talk();
            for (int i = 0; i < updates; ++i) {
                ASSERT_EQ(SSL_key_update(other().ssl(), request), 1);
                talk();
                talk();
            }
        }
    }
}

TEST_P(ConnectionLeanTest, OurOwnKeysAreChangedUnderLoad)
{
    let_go();
    pair_->workspace.lean.records_per_key = 2;
    std::string text(Connection::kWriteMax, 'x');
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(lean().write(text).bytes, text.size());
        EXPECT_EQ(Pair::read(other(), text.size()), text);
        SSL_key_update(other().ssl(), SSL_KEY_UPDATE_REQUESTED);
        talk();
    }
}

TEST_P(ConnectionLeanTest, WhatHasArrivedIsHandedOver)
{
    for (const std::size_t cut : {0u, 1u, 4u, 5u, 6u, 20u, 30u, 31u, 35u, 36u, 40u}) {
        shake_hands();
        talk();
        other().write("first");  // 27 bytes each
        other().write("second");
        other().write("third");
        const std::string all = wire_of_lean().arrived;
        wire_of_lean().arrived = all.substr(0, cut);
        std::string got = Pair::read(lean(), 3);
        lean().let_go();
        for (std::size_t at = cut; at < all.size(); ++at) {
            wire_of_lean().arrived += all[at];
            for (std::string part; !(part = Pair::read(lean(), 4)).empty(); got += part) {
            }
        }
        EXPECT_EQ(got, "firstsecondthird") << cut;
        EXPECT_TRUE(lean().is_lean());
        talk();
    }
}

// A message that has begun is OpenSSL's to end.
TEST_P(ConnectionLeanTest, NobodyLetsGoBeforeDataHasCome)
{
    shake_hands();
    other().write("");
    Pair::read(lean());
    lean().let_go();
    EXPECT_FALSE(lean().is_lean());
    other().write("text");
    EXPECT_EQ(Pair::read(lean()), "text");
    EXPECT_TRUE(lean().is_lean());
    talk();
}

TEST_P(ConnectionLeanTest, OlderVersionsStayWithOpenSsl)
{
    SSL_CTX_set_max_proto_version(server_context_.get(), TLS1_2_VERSION);
    shake_hands();
    talk();
    lean().let_go();
    EXPECT_FALSE(lean().is_lean());
    talk();
}

TEST_P(ConnectionLeanTest, WhatNobodyWatchesStaysWithOpenSsl)
{
    shake_hands();
    talk();
    other().let_go();
    EXPECT_FALSE(other().is_lean());
    talk();
}

TEST_P(ConnectionLeanTest, EachSideEndsByItself)
{
    let_go();
    lean().write("bye");
    lean().close();
    EXPECT_EQ(Pair::read(other()), "bye");
    std::string space(10, '\0');
    EXPECT_EQ(other().read(space).status, Status::closed);
    EXPECT_EQ(other().write("still heard").status, Status::done);
    EXPECT_EQ(Pair::read(lean()), "still heard");
    EXPECT_EQ(lean().write("x").status, Status::failed);
    EXPECT_NE(lean().error().find("SSL_write() failed (SSL: "), std::string::npos);
    other().close();
    EXPECT_EQ(lean().read(space).status, Status::closed);
    EXPECT_EQ(lean().read(space).status, Status::closed);
}

TEST_P(ConnectionLeanTest, AClosedTransportIsTheEndEvenWithoutGoodbyes)
{
    let_go();
    other().write("last");
    wire_of_lean().is_closed = true;
    EXPECT_EQ(Pair::read(lean()), "last");
    std::string space(10, '\0');
    EXPECT_EQ(lean().read(space).status, Status::closed);
}

TEST_P(ConnectionLeanTest, AForgedRecordEndsTheConnection)
{
    let_go();
    other().write("transfer 10");
    wire_of_lean().arrived.back() = static_cast<char>(wire_of_lean().arrived.back() ^ 1);
    std::string space(100, '\0');
    const Io io = lean().read(space);
    EXPECT_EQ(io.status, Status::failed);
    EXPECT_EQ(io.error, EPROTO);
    EXPECT_NE(lean().error().find("SSL_read() failed (SSL: error:0A000119:SSL routines::decryption "
                                  "failed or bad record mac)"),
              std::string::npos)
        << lean().error();
    EXPECT_EQ(lean().write("x").status, Status::failed);
    EXPECT_EQ(other().read(space).status, Status::failed);
    EXPECT_NE(other().error().find("alert bad record mac"), std::string::npos) << other().error();
}

TEST_P(ConnectionLeanTest, OneReceiveTakesAllRecordsAndOneSendBringsThem)
{
    let_go();
    const std::string text(100'000, 'x');
    const unsigned sends = wire_of_lean().sends;
    EXPECT_EQ(lean().write(text).bytes, text.size());
    EXPECT_EQ(wire_of_lean().sends, sends + 1);
    EXPECT_EQ(Pair::read(other(), text.size()), text);
    other().write(text);
    const unsigned receives = wire_of_lean().receives;
    EXPECT_EQ(Pair::read(lean(), 128 * 1024), text);
    EXPECT_EQ(wire_of_lean().receives, receives + 1);
}

TEST_P(ConnectionLeanTest, WhatCannotBeSentWaitsAndNothingMoreIsTakenBefore)
{
    let_go();
    wire_of_lean().takes = 1000;
    const std::string text(20'000, 'z');
    EXPECT_EQ(lean().write(text).bytes, text.size());
    EXPECT_FALSE(lean().flushed());
    EXPECT_EQ(lean().write("more").status, Status::would_block);
    wire_of_lean().takes = ~std::size_t{0};
    EXPECT_EQ(lean().flush().status, Status::done);
    EXPECT_EQ(lean().write("more").bytes, 4u);
    EXPECT_EQ(Pair::read(other(), 128 * 1024), text + "more");
}

TEST_P(ConnectionLeanTest, WhoeverOnlyAsksForNewKeysIsHungUpOn)
{
    let_go();
    wire_of_lean().takes = 0;
    std::string space(100, '\0');
    Io io{.status = Status::would_block};
    for (int i = 0; i < 1000 && io.status == Status::would_block; ++i) {
        ASSERT_EQ(SSL_key_update(other().ssl(), SSL_KEY_UPDATE_REQUESTED), 1);
        other().handshake();
        io = lean().read(space);
    }
    EXPECT_EQ(io.status, Status::failed);
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
