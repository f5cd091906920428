#include "tls/connection.h"

#include <cerrno>

#include "tls/hkdf.h"
#include "tls/testing.h"

namespace postern::tls {
namespace {

using Status = Io::Status;

// Contexts without what a configuration would say of them.
class ConnectionTest : public testing::Test
{
protected:
    ConnectionTest() : ConnectionTest(issue({})) {}
    explicit ConnectionTest(const Issued& issued)
        : server_context_(SSL_CTX_new(TLS_server_method())),
          client_context_(SSL_CTX_new(TLS_client_method()))
    {
        SSL_CTX_use_certificate(server_context_.get(), issued.certificate.get());
        SSL_CTX_use_PrivateKey(server_context_.get(), issued.key.get());
        for (SSL_CTX* const context : {server_context_.get(), client_context_.get()}) {
            Connection::prepare(*context);
        }
    }

    std::unique_ptr<Pair> make_pair()
    {
        SslPtr server(SSL_new(server_context_.get()));
        SslPtr client(SSL_new(client_context_.get()));
        SSL_set_accept_state(server.get());
        SSL_set_connect_state(client.get());
        return std::make_unique<Pair>(std::move(server), std::move(client));
    }
    std::unique_ptr<Pair> connected()
    {
        auto pair = make_pair();
        EXPECT_TRUE(pair->shake_hands());
        pair->server.write("* OK");
        EXPECT_EQ(Pair::read(pair->client), "* OK");  // and the ticket
        return pair;
    }

    SslContextPtr server_context_;
    SslContextPtr client_context_;
};

TEST_F(ConnectionTest, BothSidesReadWhatTheOtherWrote)
{
    auto pair = connected();
    EXPECT_EQ(pair->client.write("a LOGIN").bytes, 7u);
    EXPECT_EQ(Pair::read(pair->server), "a LOGIN");
    EXPECT_EQ(pair->server.write("a OK").bytes, 4u);
    EXPECT_EQ(Pair::read(pair->client), "a OK");
    EXPECT_EQ(pair->server.protocol(), "TLSv1.3");
    EXPECT_EQ(pair->server.cipher(), "TLS_AES_256_GCM_SHA384");
}

TEST_F(ConnectionTest, NoKeyIsRememberedBetweenCalls)
{
    auto pair = connected();
    EXPECT_FALSE(remembers_keys());
    pair->server.write("* OK");
    EXPECT_EQ(Pair::read(pair->client), "* OK");  // and its tickets
    EXPECT_FALSE(remembers_keys());
}

// All connections of a loop borrow the same memory: what is in there of one that had no memory
// left, and was ended by an exception, is nobody else's.
TEST_F(ConnectionTest, WhatAnotherLeftBehindIsNotSent)
{
    auto pair = connected();
    pair->workspace.sealed = "sealed for somebody else";
    pair->server.write("* OK");
    EXPECT_EQ(Pair::read(pair->client), "* OK");
    pair->workspace.sealed = "sealed for somebody else";
    EXPECT_EQ(Pair::read(pair->server), "");
    EXPECT_TRUE(pair->client_wire.arrived.empty());
}

TEST_F(ConnectionTest, OneReceiveTakesAllRecordsAndOneSendBringsThem)
{
    auto pair = connected();
    const unsigned sends = pair->client_wire.sends;
    const std::string text(100'000, 'x');  // seven records
    EXPECT_EQ(pair->client.write(text).bytes, text.size());
    EXPECT_EQ(pair->client_wire.sends, sends + 1);
    const unsigned receives = pair->server_wire.receives;
    EXPECT_EQ(Pair::read(pair->server, 128 * 1024), text);
    EXPECT_EQ(pair->server_wire.receives, receives + 1);
}

TEST_F(ConnectionTest, TicketsGoOutWithTheFirstWords)
{
    auto pair = make_pair();
    EXPECT_TRUE(pair->shake_hands());
    const unsigned sends = pair->server_wire.sends;
    EXPECT_EQ(Pair::read(pair->client), "");
    EXPECT_TRUE(pair->client_wire.arrived.empty());
    EXPECT_TRUE(pair->server.flushed());
    pair->server.write("* OK");
    EXPECT_EQ(pair->server_wire.sends, sends + 1);
    const std::size_t greeting = 4 + 22;  // with its header, type and tag
    EXPECT_GT(pair->client_wire.arrived.size(), greeting + 100);
    EXPECT_EQ(Pair::read(pair->client), "* OK");
    EXPECT_EQ(SSL_SESSION_is_resumable(SSL_get0_session(pair->client.ssl())), 1);
}

TEST_F(ConnectionTest, TicketsGoOutBeforeTheEndToo)
{
    auto pair = make_pair();
    EXPECT_TRUE(pair->shake_hands());
    pair->server.close();
    EXPECT_EQ(pair->client.read(std::span<char>(pair->workspace.received.get(), 100)).status,
              Status::closed);
    EXPECT_EQ(SSL_SESSION_is_resumable(SSL_get0_session(pair->client.ssl())), 1);
}

TEST_F(ConnectionTest, AWriteTakesNoMoreThanItsShare)
{
    auto pair = connected();
    const std::string text(Connection::kWriteMax + 1, 'x');
    EXPECT_EQ(pair->client.write(text).bytes, Connection::kWriteMax);
}

TEST_F(ConnectionTest, BytesThatTrickleInAreReadAsTheyAre)
{
    auto pair = make_pair();
    pair->server_wire.gives_at_once = 1;
    pair->client_wire.gives_at_once = 1;
    EXPECT_TRUE(pair->shake_hands());
    const std::string text(5000, 'y');
    pair->client.write(text);
    EXPECT_EQ(Pair::read(pair->server), text);
}

TEST_F(ConnectionTest, AnIncompleteRecordGivesNothingUntilItsEndHasCome)
{
    auto pair = connected();
    pair->client.write("secret");
    const std::string last = pair->server_wire.arrived.substr(10);
    pair->server_wire.arrived.resize(10);
    std::string space(100, '\0');
    EXPECT_EQ(pair->server.read(space).status, Status::would_block);
    pair->server_wire.arrived = last;
    EXPECT_EQ(Pair::read(pair->server), "secret");
}

TEST_F(ConnectionTest, NobodyAsksForMoreThanHasCome)
{
    auto pair = connected();
    pair->client.write("a NOOP");
    const unsigned receives = pair->server_wire.receives;
    EXPECT_EQ(Pair::read(pair->server, 3), "a N");
    EXPECT_FALSE(pair->server.drained());
    EXPECT_EQ(Pair::read(pair->server), "OOP");
    EXPECT_TRUE(pair->server.drained());
    EXPECT_EQ(pair->server_wire.receives, receives + 1);
    pair->client.write("b NOOP");
    EXPECT_FALSE(pair->server.drained());
    pair->client.close();
    EXPECT_EQ(Pair::read(pair->server, 6), "b NOOP");
    EXPECT_FALSE(pair->server.drained());  // the goodbye is still to be read
    std::string space(10, ' ');
    EXPECT_EQ(pair->server.read(space).status, Status::closed);
    EXPECT_FALSE(pair->server.drained());
}

TEST_F(ConnectionTest, SmallSpaceLosesNothing)
{
    auto pair = connected();
    std::string text;
    for (int i = 0; i < 3000; ++i) {
        text += std::to_string(i);
    }
    pair->client.write(text);
    pair->client.write(text);
    std::string got;
    for (std::string part = Pair::read(pair->server, 7); !part.empty();
         part = Pair::read(pair->server, 7)) {
        got += part;
    }
    EXPECT_EQ(got, text + text);
}

TEST_F(ConnectionTest, WhatCannotBeSentWaitsAndNothingMoreIsTakenBefore)
{
    auto pair = connected();
    pair->client_wire.takes = 1000;
    const std::string text(20'000, 'z');
    EXPECT_EQ(pair->client.write(text).bytes, text.size());
    EXPECT_FALSE(pair->client.flushed());
    EXPECT_EQ(pair->client.write("more").status, Status::would_block);
    EXPECT_EQ(pair->client.flush().status, Status::would_block);
    pair->client_wire.takes = ~std::size_t{0};
    EXPECT_EQ(pair->client.flush().status, Status::done);
    EXPECT_TRUE(pair->client.flushed());
    EXPECT_EQ(pair->client.write("more").bytes, 4u);
    EXPECT_EQ(Pair::read(pair->server, 128 * 1024), text + "more");
}

TEST_F(ConnectionTest, TheEndComesAfterTheLastBytes)
{
    auto pair = connected();
    pair->client.write("bye");
    pair->client.close();
    EXPECT_EQ(Pair::read(pair->server), "bye");
    std::string space(10, '\0');
    EXPECT_EQ(pair->server.read(space).status, Status::closed);
    EXPECT_EQ(pair->server.read(space).status, Status::closed);
    EXPECT_EQ(pair->server.write("still heard").status, Status::done);
    EXPECT_EQ(Pair::read(pair->client), "still heard");
}

TEST_F(ConnectionTest, AClosedTransportIsTheEndEvenWithoutGoodbyes)
{
    auto pair = connected();
    pair->client.write("last");
    pair->server_wire.is_closed = true;
    EXPECT_EQ(Pair::read(pair->server), "last");
    std::string space(10, '\0');
    EXPECT_EQ(pair->server.read(space).status, Status::closed);
}

TEST_F(ConnectionTest, PlainTextInsteadOfAHandshakeIsAFailureThatSaysWhy)
{
    auto pair = make_pair();
    pair->server_wire.arrived = "EHLO client.example.com\r\n";
    const Io io = pair->server.handshake();
    EXPECT_EQ(io.status, Status::failed);
    EXPECT_EQ(io.error, EPROTO);
    EXPECT_NE(pair->server.error().find("SSL_do_handshake() failed (SSL: error:"),
              std::string::npos)
        << pair->server.error();
    EXPECT_NE(pair->server.error().find("wrong version number"), std::string::npos);
}

TEST_F(ConnectionTest, APeerThatLeavesInTheHandshakeHasClosed)
{
    auto pair = make_pair();
    pair->client.handshake();
    pair->server_wire.arrived.resize(pair->server_wire.arrived.size() / 2);
    pair->server_wire.is_closed = true;
    EXPECT_EQ(pair->server.handshake().status, Status::closed);
    EXPECT_EQ(pair->server.error(), "");
}

TEST_F(ConnectionTest, AForgedRecordEndsTheConnection)
{
    auto pair = connected();
    pair->client.write("transfer 10");
    pair->server_wire.arrived.back() ^= 1;
    std::string space(100, '\0');
    const Io io = pair->server.read(space);
    EXPECT_EQ(io.status, Status::failed);
    EXPECT_NE(pair->server.error().find("SSL_read() failed"), std::string::npos);
    EXPECT_NE(pair->client_wire.arrived, "");  // its alert
    EXPECT_EQ(pair->server.read(space).status, Status::failed);
    EXPECT_EQ(pair->server.write("x").status, Status::failed);
}

TEST_F(ConnectionTest, AnAlertBehindDataIsAFailure)
{
    auto pair = connected();
    pair->client.write("last words");
    pair->server.write("hello");
    pair->client_wire.arrived.back() ^= 1;
    char space[16];
    EXPECT_EQ(pair->client.read(space).status, Status::failed);  // which it tells the server
    EXPECT_EQ(Pair::read(pair->server), "last words");
    for (int attempt = 0; attempt < 2; ++attempt) {
        const Io io = pair->server.read(space);
        EXPECT_EQ(io.status, Status::failed);
        EXPECT_EQ(io.error, EPROTO);
    }
    EXPECT_NE(pair->server.error().find("alert bad record mac"), std::string::npos);
}

TEST_F(ConnectionTest, AClientThatOnlyAsksForNewKeysIsHungUpOn)
{
    auto pair = connected();
    pair->server_wire.takes = 0;  // the client doesn't read
    std::string space(100, '\0');
    Io io{.status = Status::would_block};
    for (int i = 0; i < 100'000 && io.status == Status::would_block; ++i) {
        ASSERT_EQ(SSL_key_update(pair->client.ssl(), SSL_KEY_UPDATE_REQUESTED), 1);
        pair->client.handshake();
        io = pair->server.read(space);
    }
    EXPECT_EQ(io.status, Status::failed);
}

TEST_F(ConnectionTest, RenegotiationIsRefused)
{
    SSL_CTX_set_max_proto_version(server_context_.get(), TLS1_2_VERSION);
    SSL_CTX_clear_options(client_context_.get(), SSL_OP_NO_RENEGOTIATION);
    auto pair = connected();
    SSL_renegotiate(pair->client.ssl());
    pair->client.handshake();
    std::string space(100, '\0');
    EXPECT_EQ(pair->server.read(space).status, Status::would_block);  // and sends a warning
    EXPECT_EQ(pair->client.handshake().status, Status::failed);
}

}  // namespace
}  // namespace postern::tls
