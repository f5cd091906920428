#include "backend/connection.h"

#include <cerrno>

#include "backend/testing.h"

namespace postern::backend {
namespace {

class BackendConnection : public ConnectionTest
{
};

TEST_F(BackendConnection, WithoutTlsIsReadyAtOnce)
{
    Connection backend = connection(ProxySsl::off);
    ASSERT_TRUE(open_greeted(backend));
    EXPECT_FALSE(backend.wants_starttls());
    server_.say("* OK\r\n");
    read(backend);
    EXPECT_EQ(backend.conversation().unread(), "* OK\r\n");
    EXPECT_TRUE(backend.release());
    EXPECT_EQ(log(), "");
}

TEST_F(BackendConnection, RefusedIsLogged)
{
    server_.close_listener();
    Connection backend = connection(ProxySsl::on);
    EXPECT_FALSE(open(backend));
    EXPECT_NE(log().find("connect() to 127.0.0.1:"), std::string::npos);
    EXPECT_NE(log().find("(111: Connection refused) while connecting to upstream"),
              std::string::npos);
}

TEST_F(BackendConnection, IsNotHandedOutInClearTextWhereTlsIsWanted)
{
    Connection backend = connection(ProxySsl::on);
    EXPECT_FALSE(open(backend));
    EXPECT_NE(log().find("[error]"), std::string::npos);
    EXPECT_NE(log().find("while SSL handshaking to upstream"), std::string::npos);
}

TEST_F(BackendConnection, StartTlsDoesNotSucceedWithoutTls)
{
    Connection backend = connection(ProxySsl::starttls);
    ASSERT_TRUE(open_greeted(backend));
    EXPECT_TRUE(backend.wants_starttls());
    EXPECT_TRUE(backend.is_silent());
    EXPECT_FALSE(start_tls(backend));
    EXPECT_TRUE(backend.wants_starttls());
    EXPECT_NE(log().find("while SSL handshaking to upstream"), std::string::npos);
}

TEST_F(BackendConnection, WordsBeforeTlsThatWereReadEndIt)
{
    Connection backend = connection(ProxySsl::starttls);
    ASSERT_TRUE(open_greeted(backend));
    server_.say("+OK\r\n+OK injected\r\n");
    read(backend);
    backend.conversation().consume(5);
    EXPECT_FALSE(start_tls(backend));
    EXPECT_TRUE(backend.wants_starttls());
    EXPECT_NE(log().find("[error]"), std::string::npos);
    EXPECT_NE(log().find("upstream sent data before TLS that nobody asked for"), std::string::npos);
    EXPECT_EQ(server_.heard(), "");
}

TEST_F(BackendConnection, WordsBeforeTlsThatWaitInTheSocketEndIt)
{
    Connection backend = connection(ProxySsl::starttls);
    ASSERT_TRUE(open_greeted(backend));
    EXPECT_TRUE(backend.is_silent());
    server_.say("+");
    const auto next_turn = [](net::Loop& loop) -> net::Task<> { co_await loop.next_turn(); };
    net::run_to_the_end(loop_, next_turn(loop_));
    EXPECT_FALSE(start_tls(backend));
    EXPECT_NE(log().find("upstream sent data before TLS that nobody asked for"), std::string::npos);
    EXPECT_EQ(server_.heard(), "");
}

TEST_F(BackendConnection, WhoDoesNotGreetHasNotAnswered)
{
    Connection backend = connection(ProxySsl::off);
    deadline_.set(10ms);
    EXPECT_FALSE(open(backend));
    EXPECT_NE(log().find("upstream timed out (110: Connection timed out) while connecting to "
                         "upstream"),
              std::string::npos);
}

TEST_F(BackendConnection, AResetInPlaceOfAGreetingIsLoggedAsWhatItIs)
{
    Connection backend = connection(ProxySsl::off);
    loop_.post([this] {
        ASSERT_TRUE(server_.accept());
        server_.reset();
    });
    EXPECT_FALSE(open(backend));
    EXPECT_NE(log().find("[error] "), std::string::npos);
    EXPECT_NE(log().find("recv() failed (104: Connection reset by peer) while reading "
                         "response from upstream"),
              std::string::npos);
}

TEST_F(BackendConnection, ItsEndIsLogged)
{
    Connection backend = connection(ProxySsl::off);
    ASSERT_TRUE(open_greeted(backend));
    using Reason = net::Disconnected::Reason;
    const net::Disconnected closed{Reason::closed};
    backend.log_end(closed);
    EXPECT_NE(log().find("[error]"), std::string::npos);
    EXPECT_NE(log().find("upstream closed connection before login was complete while"),
              std::string::npos);
    const net::Disconnected failed{Reason::failed, ECONNRESET};
    backend.log_end(failed);
    EXPECT_NE(log().find("(104: Connection reset by peer)"), std::string::npos);
    const net::Disconnected timed_out{Reason::timed_out};
    backend.log_end(timed_out);
    EXPECT_NE(log().find("upstream timed out (110: Connection timed out)"), std::string::npos);
}

}  // namespace
}  // namespace postern::backend
