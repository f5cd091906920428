// For tests: an authentication service on loopback, and somebody who asks it.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "auth/auth_http.h"
#include "tls/openssl.h"

namespace postern::auth {

using namespace std::chrono_literals;

inline const std::string kOk = "Auth-Status: OK\r\nAuth-Server: 127.0.0.1\r\nAuth-Port: 143\r\n";
inline const std::string kOk10 = "HTTP/1.0 200 OK\r\n" + kOk + "\r\n";
inline const std::string kOk11 = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + kOk + "\r\nok";

// What a service does on one connection: answers one request after the other, in pieces, then
// closes.
struct Script {
    std::vector<std::vector<std::string>> answers;
    bool stays_open = false;    // until the client closes
    ssl_ctx_st* tls = nullptr;  // with a handshake first, unless null
};

// The service's end of a connection.
class Channel
{
public:
    // A handshake that fails leaves a channel without a word in it.
    Channel(int descriptor, ssl_ctx_st* tls) : descriptor_(descriptor)
    {
        const timeval limit{.tv_sec = 5, .tv_usec = 0};
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        if (tls != nullptr) {
            ssl_.reset(SSL_new(tls));
            SSL_set_fd(ssl_.get(), descriptor);
            is_open_ = SSL_accept(ssl_.get()) == 1;
        }
    }
    ~Channel()
    {
        if (is_open_ && ssl_) {
            SSL_shutdown(ssl_.get());
        }
        ERR_clear_error();
        close(descriptor_);
    }
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    bool is_open() const { return is_open_; }
    bool has_unread() const { return ssl_ && SSL_pending(ssl_.get()) > 0; }
    bool read(char& byte)
    {
        return (ssl_ ? SSL_read(ssl_.get(), &byte, 1) : recv(descriptor_, &byte, 1, 0)) > 0;
    }
    void write(const std::string& bytes)
    {
        if (ssl_) {
            SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
        } else {
            send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        }
    }
    int descriptor() const { return descriptor_; }
    SSL* ssl() const { return ssl_.get(); }

private:
    const int descriptor_;
    tls::SslPtr ssl_;
    bool is_open_ = true;
};

// What a service learns of one connection.
struct Heard {
    bool shook_hands = false;
    bool resumed = false;
    std::string name;   // that the client asked for by SNI
    std::string bytes;  // all that the client said
};

// A service on loopback that plays one script a connection.
class Service
{
public:
    // On a port of its own, unless one is given.
    explicit Service(std::vector<Script> scripts, const char* ip = "127.0.0.1",
                     std::uint16_t port = 0)
        : scripts_(std::move(scripts))
    {
        listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{.sin_family = AF_INET,
                            .sin_port = htons(port),
                            .sin_addr = {inet_addr(ip)},
                            .sin_zero = {}};
        EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(listen(listener_, 16), 0);
        socklen_t size = sizeof address;
        getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { run(); });
    }
    ~Service()
    {
        stopping_ = true;
        thread_.join();
        close(listener_);
    }

    std::uint16_t port() const { return port_; }
    unsigned connections() const { return connections_; }
    // When all scripts are played: one a connection.
    std::vector<Heard> heard()
    {
        std::unique_lock lock(mutex_);
        EXPECT_TRUE(
            played_.wait_for(lock, 10s, [this] { return heard_.size() == scripts_.size(); }));
        return heard_;
    }
    std::vector<std::string> requests()
    {
        const std::lock_guard lock(mutex_);
        return requests_;
    }

private:
    bool is_readable(int descriptor) const
    {
        pollfd poll_for{.fd = descriptor, .events = POLLIN, .revents = 0};
        while (!stopping_) {
            if (poll(&poll_for, 1, 10) > 0) {
                return true;
            }
        }
        return false;
    }

    void run()
    {
        // OpenSSL writes without MSG_NOSIGNAL: a client that has gone shall be an error here.
        sigset_t signals;
        sigemptyset(&signals);
        sigaddset(&signals, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &signals, nullptr);
        for (const Script& script : scripts_) {
            if (!is_readable(listener_)) {
                return;
            }
            const int client = accept(listener_, nullptr, nullptr);
            ++connections_;
            Heard heard;
            {
                Channel channel(client, script.tls);
                if (channel.is_open()) {
                    meet(channel, heard);
                    play(script, channel, heard);
                }
            }
            const std::lock_guard lock(mutex_);
            heard_.push_back(std::move(heard));
            played_.notify_one();
        }
        is_readable(-1);
    }

    static void meet(const Channel& channel, Heard& heard)
    {
        if (SSL* const ssl = channel.ssl(); ssl != nullptr) {
            const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
            heard.shook_hands = true;
            heard.resumed = SSL_session_reused(ssl) == 1;
            heard.name = name == nullptr ? "" : name;
        }
    }

    bool read(Channel& channel, Heard& heard)
    {
        char byte;
        if (!(channel.has_unread() || is_readable(channel.descriptor())) || !channel.read(byte)) {
            return false;
        }
        heard.bytes += byte;
        return true;
    }

    void play(const Script& script, Channel& channel, Heard& heard)
    {
        for (const auto& pieces : script.answers) {
            const std::size_t begin = heard.bytes.size();
            while (heard.bytes.find("\r\n\r\n", begin) == std::string::npos) {
                if (!read(channel, heard)) {
                    return;
                }
            }
            {
                const std::lock_guard lock(mutex_);
                requests_.push_back(heard.bytes.substr(begin));
            }
            for (const std::string& piece : pieces) {
                channel.write(piece);
                std::this_thread::sleep_for(5ms);
            }
        }
        while (script.stays_open && read(channel, heard)) {
        }
    }

    const std::vector<Script> scripts_;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::atomic<unsigned> connections_ = 0;
    std::atomic<bool> stopping_ = false;
    std::mutex mutex_;
    std::condition_variable played_;
    std::vector<std::string> requests_;
    std::vector<Heard> heard_;
    std::thread thread_;
};

class AuthHttpTest : public testing::Test
{
protected:
    AuthHttpTest()
    {
        std::string pattern = testing::TempDir() + "auth_http_XXXXXX";
        folder_ = mkdtemp(pattern.data());
        std::string error;
        const LogTarget target{.level = LogLevel::info, .path = folder_ + "/log"};
        logger_ = log::Logger({{targets_.open(target, error), LogLevel::info}});
    }
    ~AuthHttpTest() override { std::filesystem::remove_all(folder_); }

    // Asks a service `times` times, one after the other.
    Verdict ask(config::AuthHttp where, unsigned times = 1)
    {
        service_.where = std::move(where);
        if (!auth_) {
            auth_ = std::make_unique<AuthHttp>(loop_, *resolver_, connections_, service_);
        }
        Verdict verdict = Failure{};
        net::spawn(run(verdict, times));
        loop_.run();
        return verdict;
    }
    Verdict ask(const Service& service, unsigned times = 1)
    {
        return ask(at(service.port()), times);
    }

    static config::AuthHttp at(std::uint16_t port, std::string host = "127.0.0.1")
    {
        return {
            .host = std::move(host), .port = port, .unix_path = "", .uri = "/auth", .where = {}};
    }

    std::string log_text() const
    {
        std::ifstream file(folder_ + "/log");
        std::ostringstream text;
        text << file.rdbuf();
        return text.str();
    }
    bool is_logged(const std::string& text) const
    {
        return log_text().find(text) != std::string::npos;
    }

    net::Loop loop_;
    std::unique_ptr<net::Resolver> resolver_ =
        std::make_unique<net::Resolver>(loop_, config::Resolver{});
    std::shared_ptr<HttpConnections> connections_ = std::make_shared<HttpConnections>();
    HttpService service_{.where = {}, .timeout = 5s, .keepalive = 0, .headers = {}};
    Claim claim_;
    Peer peer_;

private:
    net::Task<> run(Verdict& verdict, unsigned times)
    {
        claim_.login = "bob";
        claim_.password = Secret("secret");
        peer_.client_ip = "192.0.2.1";
        log::SessionLog log(logger_, 1, "192.0.2.1", "0.0.0.0:143");
        for (unsigned i = 0; i < times; ++i) {
            verdict = co_await auth_->check(claim_, peer_, log);
        }
        loop_.stop();
    }

    std::string folder_;
    log::Targets targets_;
    log::Logger logger_;
    std::unique_ptr<AuthHttp> auth_;
};

inline const Mailbox* mailbox(const Verdict& verdict)
{
    return std::get_if<Mailbox>(&verdict);
}

inline bool failed(const Verdict& verdict)
{
    return std::holds_alternative<Failure>(verdict);
}

}  // namespace postern::auth
