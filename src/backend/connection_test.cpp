#include "backend/connection.h"

#include <cerrno>

#include "log/testing.h"
#include "net/testing.h"

namespace postern::backend {
namespace {

using namespace std::chrono_literals;
using config::ProxySsl;

// A port of this machine that listens, or has done so.
class Server
{
public:
    Server()
    {
        sockaddr_in address{.sin_family = AF_INET,
                            .sin_port = 0,
                            .sin_addr = {htonl(INADDR_LOOPBACK)},
                            .sin_zero = {}};
        socklen_t size = sizeof address;
        auto* generic = reinterpret_cast<sockaddr*>(&address);
        EXPECT_EQ(::bind(listener_, generic, size), 0);
        EXPECT_EQ(::listen(listener_, 1), 0);
        EXPECT_EQ(::getsockname(listener_, generic, &size), 0);
        port_ = ntohs(address.sin_port);
    }
    ~Server()
    {
        hang_up();
        close_listener();
    }
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    std::uint16_t port() const { return port_; }
    void accept() { client_ = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC); }
    void say(std::string_view text) const
    {
        EXPECT_EQ(::send(client_, text.data(), text.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(text.size()));
    }
    std::string heard() const
    {
        std::string text(4096, '\0');
        const ssize_t size = ::recv(client_, text.data(), text.size(), MSG_DONTWAIT);
        text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
        return text;
    }
    void hang_up() { close(client_); }
    void close_listener() { close(listener_); }

private:
    static void close(int& descriptor)
    {
        if (descriptor >= 0) {
            ::close(std::exchange(descriptor, -1));
        }
    }

    int listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int client_ = -1;
    std::uint16_t port_ = 0;
};

class BackendConnection : public log::LoggerTest
{
protected:
    // To the server of this test.
    Connection connection(ProxySsl ssl, const tls::ClientContext* context = nullptr)
    {
        deadline_.set(10s);
        const Target target{.host = "127.0.0.1",
                            .port = server_.port(),
                            .ssl = ssl,
                            .verify = true,
                            .name = "mail.example.com"};
        return Connection(target, context, 4096, deadline_, log_);
    }

    bool open(Connection& connection)
    {
        bool opened = false;
        net::run_to_the_end(loop_, keep(connection.open(resolver_), opened));
        if (opened) {
            server_.accept();
        }
        return opened;
    }
    bool start_tls(Connection& connection)
    {
        bool started = false;
        net::run_to_the_end(loop_, keep(connection.start_tls(), started));
        return started;
    }
    // Has the loop take what has arrived.
    void read(Connection& connection)
    {
        const auto fill = [](Connection& source) -> net::Task<> {
            co_await source.conversation().fill();
        };
        net::run_to_the_end(loop_, fill(connection));
    }
    std::string log() const { return LoggerTest::read("log"); }

    Server server_;
    net::Loop loop_;

private:
    static net::Task<> keep(net::Task<bool> running, bool& result) { result = co_await running; }

    config::Resolver no_servers_;
    net::Resolver resolver_{loop_, no_servers_};
    net::Deadline deadline_{loop_};
    log::SessionLog log_{logger(file_target("log")), 7, "127.0.0.1", "127.0.0.1:143"};
};

TEST_F(BackendConnection, WithoutTlsIsReadyAtOnce)
{
    Connection backend = connection(ProxySsl::off);
    ASSERT_TRUE(open(backend));
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
    ASSERT_TRUE(open(backend));
    EXPECT_TRUE(backend.wants_starttls());
    EXPECT_TRUE(backend.is_silent());
    EXPECT_FALSE(start_tls(backend));
    EXPECT_TRUE(backend.wants_starttls());
    EXPECT_NE(log().find("while SSL handshaking to upstream"), std::string::npos);
}

TEST_F(BackendConnection, WordsBeforeTlsThatWereReadEndIt)
{
    Connection backend = connection(ProxySsl::starttls);
    ASSERT_TRUE(open(backend));
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
    ASSERT_TRUE(open(backend));
    server_.say("+OK\r\n");
    read(backend);
    backend.conversation().consume(5);
    EXPECT_TRUE(backend.is_silent());
    server_.say("+");
    const auto next_turn = [](net::Loop& loop) -> net::Task<> { co_await loop.next_turn(); };
    net::run_to_the_end(loop_, next_turn(loop_));
    EXPECT_FALSE(start_tls(backend));
    EXPECT_NE(log().find("upstream sent data before TLS that nobody asked for"), std::string::npos);
    EXPECT_EQ(server_.heard(), "");
}

TEST_F(BackendConnection, ItsEndIsLogged)
{
    Connection backend = connection(ProxySsl::off);
    ASSERT_TRUE(open(backend));
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
