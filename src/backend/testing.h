// For tests: a mailbox server, and connections to it.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "backend/connection.h"
#include "log/testing.h"
#include "net/testing.h"

namespace postern::backend {

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
    // False: nobody has come yet.
    bool accept()
    {
        if (client_ >= 0) {
            return true;
        }
        client_ = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        return client_ >= 0;
    }
    // The accepted connection, from now on the caller's.
    std::unique_ptr<net::Stream> release(net::Loop& loop)
    {
        return std::make_unique<net::Stream>(loop, std::exchange(client_, -1));
    }
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
    void reset()
    {
        const linger at_once{.l_onoff = 1, .l_linger = 0};
        EXPECT_EQ(::setsockopt(client_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
        hang_up();
    }
    void close_listener() { close(listener_); }

private:
    static void close(int& descriptor)
    {
        if (descriptor >= 0) {
            ::close(std::exchange(descriptor, -1));
        }
    }

    int listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int client_ = -1;
    std::uint16_t port_ = 0;
};

class ConnectionTest : public log::LoggerTest
{
protected:
    // The server of this test.
    Target target(ProxySsl ssl)
    {
        deadline_.set(10s);
        return {.host = "127.0.0.1",
                .port = server_.port(),
                .ssl = ssl,
                .verify = true,
                .name = "mail.example.com"};
    }
    // In clear text, or what should have been more.
    Connection connection(ProxySsl ssl)
    {
        return Connection(target(ssl), nullptr, 4096, deadline_, log_);
    }

    bool open(Connection& connection)
    {
        bool opened = false;
        net::run_to_the_end(loop_, keep(connection.open(resolver_), opened));
        return opened;
    }
    // By a server that greets those who come, as is the rule without TLS from the start. The
    // greeting is read, and gone.
    bool open_greeted(Connection& connection)
    {
        constexpr std::string_view kGreeting = "+OK\r\n";
        loop_.post([this, kGreeting] {
            ASSERT_TRUE(server_.accept());
            server_.say(kGreeting);
        });
        if (!open(connection)) {
            return false;
        }
        read(connection);
        connection.conversation().consume(kGreeting.size());
        return true;
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

    static net::Task<> keep(net::Task<bool> running, bool& result) { result = co_await running; }

    Server server_;
    net::Loop loop_;
    config::Resolver no_servers_;
    net::Resolver resolver_{loop_, no_servers_};
    net::Deadline deadline_{loop_};
    log::SessionLog log_{logger(file_target("log")), 7, "127.0.0.1", "127.0.0.1:143"};
};

}  // namespace postern::backend
