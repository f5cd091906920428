#include "net/resolver.h"

#include <arpa/nameser.h>
#include <netdb.h>

#include <algorithm>
#include <system_error>

#include "base/assert.h"
#include "base/text.h"

namespace postern::net {

namespace {

constexpr std::size_t kCachedMax = 4096;
constexpr std::chrono::seconds kLongestTtl{3600};
constexpr int kAttemptMilliseconds = 2000;
constexpr int kAttempts = 4;

ResolveError error_of(int status)
{
    switch (status) {
    case ARES_EFORMERR:
        return {.code = 1};
    case ARES_ESERVFAIL:
        return {.code = 2};
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
    case ARES_EBADNAME:
        return {.code = 3, .not_found = true};
    case ARES_ENOTIMP:
        return {.code = 4};
    case ARES_ETIMEOUT:
        return {.code = 110};
    default:
        return {.code = 5};  // refused, no server to be reached, ...
    }
}

// "1.0.0.127.in-addr.arpa" (RFC 1035 section 3.5), or nibbles below "ip6.arpa" (RFC 3596
// section 2.5).
std::string reverse_name(const SocketAddress& address)
{
    std::string name;
    if (address.family() == AF_INET) {
        const auto* bytes = reinterpret_cast<const unsigned char*>(&address.ipv4().sin_addr);
        for (int i = 3; i >= 0; --i) {
            name += std::to_string(bytes[i]) + ".";
        }
        return name + "in-addr.arpa";
    }
    const unsigned char* bytes = address.ipv6().sin6_addr.s6_addr;
    for (int i = 15; i >= 0; --i) {
        constexpr char kHex[] = "0123456789abcdef";
        name += {kHex[bytes[i] & 15], '.', kHex[bytes[i] >> 4], '.'};
    }
    return name + "ip6.arpa";
}

}  // namespace

std::string ResolveError::text() const
{
    static constexpr const char* kTexts[] = {"",
                                             "Format error",
                                             "Server failure",
                                             "Host not found",
                                             "Unimplemented",
                                             "Operation refused"};
    return std::to_string(code) + ": " + (code == 110 ? "Operation timed out" : kTexts[code]);
}

// A descriptor of c-ares in our loop.
class Resolver::Socket final : public Watcher
{
public:
    Socket(Resolver& owner, ares_socket_t descriptor) : owner_(owner), descriptor_(descriptor)
    {
        owner_.loop_.add(descriptor, *this, 0);
    }

    // Before c-ares closes the descriptor: its number may be another socket's the next moment.
    void leave() { owner_.loop_.remove(descriptor_, *this); }

    void want(bool readable, bool writable)
    {
        owner_.loop_.modify(
            descriptor_, *this,
            (readable ? std::uint32_t{EPOLLIN} : 0u) | (writable ? std::uint32_t{EPOLLOUT} : 0u));
    }

private:
    void on_ready(std::uint32_t events) override
    {
        const bool error = (events & (EPOLLERR | EPOLLHUP)) != 0;
        owner_.process(error || (events & EPOLLIN) != 0 ? descriptor_ : ARES_SOCKET_BAD,
                       error || (events & EPOLLOUT) != 0 ? descriptor_ : ARES_SOCKET_BAD);
    }

    Resolver& owner_;
    ares_socket_t descriptor_;
};

// Fires when c-ares wants to ask again.
class Resolver::Retry final : public Timer
{
public:
    Retry(Resolver& owner, Loop& loop) : Timer(loop), owner_(owner) {}

private:
    void on_expiry() override { owner_.process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); }
    Resolver& owner_;
};

Resolver::Resolver(Loop& loop, const config::Resolver& settings, Sources sources)
    : loop_(loop), settings_(settings), retry_(std::make_unique<Retry>(*this, loop))
{
    ares_options options{};
    options.timeout = kAttemptMilliseconds;
    options.tries = kAttempts;
    options.sock_state_cb = on_socket;
    options.sock_state_cb_data = this;
    char dns_only[] = "b";
    char hosts_file_first[] = "fb";
    options.lookups = sources == Sources::dns ? dns_only : hosts_file_first;
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB | ARES_OPT_LOOKUPS;
    if (!settings.servers.empty()) {
        mask |= ARES_OPT_ROTATE;
    }
    int status = ares_init_options(&channel_, &options, mask);
    if (status == ARES_SUCCESS && !settings.servers.empty()) {
        std::string list;
        for (const SocketAddress& server : settings.servers) {
            list += (list.empty() ? "" : ",") + server.text();
        }
        status = ares_set_servers_ports_csv(channel_, list.c_str());
    }
    if (status != ARES_SUCCESS) {
        throw std::system_error(std::make_error_code(std::errc::not_enough_memory),
                                ares_strerror(status));
    }
}

// Who waits for an answer is not woken up: it may need what has gone already.
Resolver::~Resolver()
{
    ares_destroy(channel_);
}

void Resolver::on_socket(void* self, ares_socket_t descriptor, int readable, int writable)
{
    auto& resolver = *static_cast<Resolver*>(self);
    auto& socket = resolver.sockets_[descriptor];
    if (readable == 0 && writable == 0) {
        if (socket) {
            socket->leave();
            // It may be the very socket whose event is being handled.
            resolver.closed_.push_back(std::move(socket));
        }
        resolver.sockets_.erase(descriptor);
        return;
    }
    if (!socket) {
        socket = std::make_unique<Socket>(resolver, descriptor);
    }
    socket->want(readable != 0, writable != 0);
}

void Resolver::process(ares_socket_t readable, ares_socket_t writable)
{
    ares_process_fd(channel_, readable, writable);
    closed_.clear();
    arm();
}

void Resolver::arm()
{
    timeval buffer{};
    if (const timeval* left = ares_timeout(channel_, nullptr, &buffer)) {
        retry_->arm(std::chrono::seconds(left->tv_sec) + std::chrono::microseconds(left->tv_usec) +
                    std::chrono::milliseconds(1));
    } else {
        retry_->disarm();
    }
}

std::expected<Resolver::Found, ResolveError> Resolver::read(int status, ares_addrinfo* result)
{
    if (status != ARES_SUCCESS) {
        return std::unexpected(error_of(status));
    }
    Found found{.addresses = {}, .ttl = kLongestTtl};
    for (const ares_addrinfo_node* node = result->nodes; node != nullptr; node = node->ai_next) {
        found.addresses.push_back(SocketAddress::from(node->ai_addr, node->ai_addrlen));
        found.ttl = std::min(found.ttl, std::chrono::seconds(node->ai_ttl));
    }
    ares_freeaddrinfo(result);
    if (found.addresses.empty()) {
        return std::unexpected(error_of(ARES_ENODATA));
    }
    return found;
}

void Resolver::remember(const std::string& host, const Found& found)
{
    if (cache_.size() >= kCachedMax) {
        std::erase_if(cache_,
                      [this](const auto& item) { return item.second.expires <= loop_.now(); });
    }
    if (cache_.size() >= kCachedMax) {
        cache_.clear();
    }
    const auto ttl = std::max(settings_.valid.value_or(found.ttl), std::chrono::seconds(1));
    cache_[host] = Cached{found.addresses, loop_.now() + ttl};
}

Task<std::expected<Resolver::Addresses, ResolveError>> Resolver::addresses(std::string host,
                                                                           std::uint16_t port,
                                                                           Deadline& deadline)
{
    if (const auto address = SocketAddress::parse_ip(host, port)) {
        co_return Addresses{*address};
    }
    host = to_lower(host);
    const auto cached = cache_.find(host);
    Addresses found;
    if (cached != cache_.end() && cached->second.expires > loop_.now()) {
        found = cached->second.addresses;
    } else {
        using Result = Pending<std::expected<Found, ResolveError>>;
        const auto result = std::make_shared<Result>();
        auto* const argument = new std::shared_ptr<Result>(result);
        const auto callback = [](void* owned, int status, int, ares_addrinfo* answer) {
            const std::unique_ptr<std::shared_ptr<Result>> waiting(
                static_cast<std::shared_ptr<Result>*>(owned));
            if (status != ARES_EDESTRUCTION) {
                (*waiting)->deliver(read(status, answer));
            }
        };
        ares_addrinfo_hints hints{};
        hints.ai_family = !settings_.ipv6 ? AF_INET : !settings_.ipv4 ? AF_INET6 : AF_UNSPEC;
        hints.ai_flags = ARES_AI_NOSORT;
        hints.ai_socktype = SOCK_STREAM;
        ares_getaddrinfo(channel_, host.c_str(), nullptr, &hints, callback, argument);
        arm();
        Result::Event event(*result, deadline);
        if (!co_await event) {
            co_return std::unexpected(ResolveError{.code = 110});
        }
        if (!result->value()) {
            co_return std::unexpected(result->value().error());
        }
        remember(host, *result->value());
        found = result->value()->addresses;
    }
    for (SocketAddress& address : found) {
        address.set_port(port);
    }
    co_return found;
}

Task<std::expected<std::string, ResolveError>> Resolver::name(SocketAddress address,
                                                              Deadline& deadline)
{
    using Result = Pending<std::expected<std::string, ResolveError>>;
    const auto result = std::make_shared<Result>();
    auto* const argument = new std::shared_ptr<Result>(result);
    // Not ares_gethostbyaddr, which calls every failure "not found".
    const auto callback = [](void* owned, int status, int, unsigned char* answer, int size) {
        const std::unique_ptr<std::shared_ptr<Result>> waiting(
            static_cast<std::shared_ptr<Result>*>(owned));
        if (status == ARES_EDESTRUCTION) {
            return;
        }
        hostent* host = nullptr;
        if (status == ARES_SUCCESS) {
            status = ares_parse_ptr_reply(answer, size, nullptr, 0, AF_INET, &host);
        }
        if (status != ARES_SUCCESS) {
            (*waiting)->deliver(std::unexpected(error_of(status)));
        } else {
            (*waiting)->deliver(std::string(host->h_name));
            ares_free_hostent(host);
        }
    };
    ares_query(channel_, reverse_name(address).c_str(), ns_c_in, ns_t_ptr, callback, argument);
    arm();
    Result::Event event(*result, deadline);
    if (!co_await event) {
        co_return std::unexpected(ResolveError{.code = 110});
    }
    co_return std::move(result->value());
}

}  // namespace postern::net
