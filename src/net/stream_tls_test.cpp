// Streams under TLS, both ends on one loop.
#include <fcntl.h>

#include <cerrno>

#include "net/conversation.h"
#include "net/testing.h"
#include "tls/testing.h"

namespace postern::net {
namespace {

using namespace std::chrono_literals;
using Status = Io::Status;
using Reason = Stream::TlsFailure::Reason;

class StreamTlsTest : public testing::Test
{
protected:
    StreamTlsTest()
        : server_context_(SSL_CTX_new(TLS_server_method())),
          client_context_(SSL_CTX_new(TLS_client_method()))
    {
        const tls::Issued issued = tls::issue({});
        SSL_CTX_use_certificate(server_context_.get(), issued.certificate.get());
        SSL_CTX_use_PrivateKey(server_context_.get(), issued.key.get());
        for (SSL_CTX* const context : {server_context_.get(), client_context_.get()}) {
            tls::Connection::prepare(*context);
        }
        Connected pair = connected(loop_);
        server_ = std::move(pair.stream);
        fcntl(pair.peer, F_SETFL, O_NONBLOCK);
        client_ = std::make_unique<Stream>(loop_, std::exchange(pair.peer, -1));
        deadline_.set(10s);
    }

    tls::SslPtr accept() const
    {
        tls::SslPtr ssl(SSL_new(server_context_.get()));
        SSL_set_accept_state(ssl.get());
        return ssl;
    }
    tls::SslPtr connect() const
    {
        tls::SslPtr ssl(SSL_new(client_context_.get()));
        SSL_set_connect_state(ssl.get());
        return ssl;
    }

    using Outcome = std::optional<std::expected<void, Stream::TlsFailure>>;
    static Task<> shake(Stream& stream, tls::SslPtr ssl, Deadline& deadline, Outcome& outcome,
                        int& left, Loop& loop)
    {
        outcome = co_await stream.start_tls(std::move(ssl), deadline);
        if (--left == 0) {
            loop.stop();
        }
    }
    // Both handshakes; their outcomes are in server_outcome_ and client_outcome_.
    void shake_hands()
    {
        int left = 2;
        Deadline client_deadline(loop_);
        client_deadline.set(10s);
        spawn(shake(*server_, accept(), deadline_, server_outcome_, left, loop_));
        spawn(shake(*client_, connect(), client_deadline, client_outcome_, left, loop_));
        loop_.run();
    }
    void shake_hands_alone(Clock::duration limit)
    {
        int left = 1;
        deadline_.set(limit);
        spawn(shake(*server_, accept(), deadline_, server_outcome_, left, loop_));
        loop_.run();
    }

    static Task<> read_all(Stream& stream, Deadline& deadline, std::string& text)
    {
        for (;;) {
            const Io io = stream.read(stream.loop().scratch());
            if (io.status == Status::would_block) {
                StreamEvent event(stream, deadline);
                if (!co_await event) {
                    co_return;
                }
            } else if (io.status == Status::done) {
                text.append(stream.loop().scratch().data(), io.bytes);
            } else {
                co_return;
            }
        }
    }
    static Task<> write_all(Conversation& conversation, std::string_view text)
    {
        co_await conversation.write(text);
        conversation.stream().shutdown_write();
    }

    Loop loop_;
    tls::SslContextPtr server_context_;
    tls::SslContextPtr client_context_;
    std::unique_ptr<Stream> server_;
    std::unique_ptr<Stream> client_;
    Deadline deadline_{loop_};
    Outcome server_outcome_;
    Outcome client_outcome_;
};

TEST_F(StreamTlsTest, AHandshakeMakesBothEndsTls)
{
    EXPECT_TRUE(server_->can_splice());
    EXPECT_EQ(server_->tls(), nullptr);
    shake_hands();
    ASSERT_TRUE(server_outcome_->has_value());
    ASSERT_TRUE(client_outcome_->has_value());
    EXPECT_FALSE(server_->can_splice());
    EXPECT_EQ(server_->tls()->protocol(), "TLSv1.3");
}

TEST_F(StreamTlsTest, MoreThanTheSocketHoldsArrivesWholeAndThenTheEnd)
{
    shake_hands();
    std::string text;
    for (int i = 0; text.size() < 20'000'000; ++i) {
        text += std::to_string(i);
    }
    Deadline write_deadline(loop_);
    write_deadline.set(10s);
    Conversation conversation(*server_, write_deadline, 4096);
    std::string got;
    spawn(write_all(conversation, text));
    run_to_the_end(loop_, read_all(*client_, deadline_, got));
    EXPECT_EQ(got.size(), text.size());
    EXPECT_TRUE(got == text);
    EXPECT_FALSE(deadline_.expired());
}

TEST_F(StreamTlsTest, WhatWaitsForTheSocketIsSentWithoutBeingAskedFor)
{
    shake_hands();
    const std::string text(tls::Connection::kWriteMax, 'x');
    std::size_t written = 0;
    while (server_->flushed()) {  // nobody reads: the socket fills up
        written += server_->write(text).bytes;
    }
    server_->shutdown_write();
    std::string got;
    run_to_the_end(loop_, read_all(*client_, deadline_, got));
    EXPECT_TRUE(server_->flushed());
    EXPECT_EQ(got.size(), written);
    EXPECT_FALSE(deadline_.expired());  // the end came behind it
}

TEST_F(StreamTlsTest, APeerThatSaysNothingIsTooSlow)
{
    shake_hands_alone(20ms);
    ASSERT_FALSE(server_outcome_->has_value());
    EXPECT_EQ(server_outcome_->error().reason, Reason::timed_out);
}

TEST_F(StreamTlsTest, APeerThatLeavesInTheHandshakeIsGone)
{
    client_.reset();
    shake_hands_alone(10s);
    ASSERT_FALSE(server_outcome_->has_value());
    EXPECT_EQ(server_outcome_->error().reason, Reason::closed);
    EXPECT_EQ(server_outcome_->error().text, "peer closed connection in SSL handshake");
}

TEST_F(StreamTlsTest, PlainTextIsNoHandshake)
{
    client_->write("a NOOP\r\n");
    shake_hands_alone(10s);
    ASSERT_FALSE(server_outcome_->has_value());
    EXPECT_EQ(server_outcome_->error().reason, Reason::failed);
    EXPECT_TRUE(server_outcome_->error().text.starts_with("SSL_do_handshake() failed (SSL: "))
        << server_outcome_->error().text;
}

TEST_F(StreamTlsTest, TheEndOfAStreamIsSaidInTls)
{
    shake_hands();
    server_.reset();
    std::string got;
    run_to_the_end(loop_, read_all(*client_, deadline_, got));
    EXPECT_EQ(SSL_get_shutdown(client_->tls()->ssl()) & SSL_RECEIVED_SHUTDOWN,
              SSL_RECEIVED_SHUTDOWN);
}

}  // namespace
}  // namespace postern::net
