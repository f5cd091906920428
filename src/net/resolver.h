#pragma once

#include <ares.h>

#include <expected>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/address.h"
#include "config/settings.h"
#include "net/pending.h"
#include "net/task.h"

namespace postern::net {

// Why a name could not be resolved.
struct ResolveError {
    int code = 0;            // as NGINX numbers them: 1 to 5 as in DNS, 110 for a time-out
    bool not_found = false;  // there is no such name, or it has no such record

    std::string text() const;  // "3: Host not found"
};

// Looks up names through DNS (c-ares), on one loop and without blocking it. Answers are kept for
// their TTL. When it is destroyed, whoever still waits is left waiting.
class Resolver
{
public:
    enum class Sources : unsigned char { dns, hosts_file_and_dns };
    Resolver(Loop& loop, const config::Resolver& settings,
             Sources sources = Sources::hosts_file_and_dns);
    ~Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    using Addresses = std::vector<SocketAddress>;
    // All addresses of `host`, at least one, with `port`. An IP address is its own answer.
    Task<std::expected<Addresses, ResolveError>> addresses(std::string host, std::uint16_t port,
                                                           Deadline& deadline);
    Loop& loop() const { return loop_; }

    // The first name that `address` has (a PTR record). Nothing says that it is true.
    Task<std::expected<std::string, ResolveError>> name(SocketAddress address, Deadline& deadline);

private:
    class Socket;
    class Retry;
    struct Cached {
        Addresses addresses;
        Clock::time_point expires;
    };
    struct Found {
        Addresses addresses;
        std::chrono::seconds ttl{};
    };

    static void on_socket(void* self, ares_socket_t descriptor, int readable, int writable);
    static std::expected<Found, ResolveError> read(int status, ares_addrinfo* result);
    void process(ares_socket_t readable, ares_socket_t writable);
    void arm();
    void remember(const std::string& host, const Found& found);

    Loop& loop_;
    config::Resolver settings_;
    ares_channel channel_ = nullptr;
    std::unordered_map<ares_socket_t, std::unique_ptr<Socket>> sockets_;
    std::vector<std::unique_ptr<Socket>> closed_;
    std::unique_ptr<Retry> retry_;
    std::unordered_map<std::string, Cached> cache_;
};

}  // namespace postern::net
