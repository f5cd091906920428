#include "listen/sockets.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>
#include <utility>

#include "log/logger.h"

namespace postern::listen {

namespace {

constexpr int kBindAttempts = 5;
constexpr std::chrono::milliseconds kBindPause{500};

// What is to be bound: a listen, whose options hold, and the endpoints: its own, and those that its
// wildcard stands for.
struct Plan {
    const config::Listen* listen;
    std::vector<Endpoint> endpoints;
};

// Adds a listen. Several servers may have the same address, if names tell them apart: then one is
// for all other names, and one may have written options for the socket.
void add(std::vector<Plan>& plans, const config::Listen& listen, std::size_t server)
{
    Endpoint endpoint{.address = listen.address,
                      .name = listen.address.text(),
                      .server = server,
                      .protocol = listen.protocol,
                      .proxy_protocol = listen.proxy_protocol,
                      .ssl = listen.ssl};
    const auto known = std::ranges::find(
        plans, listen.address, [](const Plan& plan) -> auto& { return plan.listen->address; });
    if (known == plans.end()) {
        plans.push_back({&listen, {std::move(endpoint)}});
        return;
    }
    if (listen.default_server) {
        known->endpoints.front() = std::move(endpoint);
    }
    if (listen.bind) {
        known->listen = &listen;
    }
}

bool same_port(const SocketAddress& a, const SocketAddress& b)
{
    return a.is_ip() && a.family() == b.family() && a.port() == b.port();
}

std::vector<Plan> make_plans(const config::Settings& settings)
{
    std::vector<Plan> plans;
    for (std::size_t i = 0; i < settings.servers.size(); ++i) {
        for (const config::Listen& listen : settings.servers[i].listens) {
            add(plans, listen, i);
        }
    }
    for (Plan& wildcard : plans) {
        if (!wildcard.listen->address.is_wildcard()) {
            continue;
        }
        for (Plan& other : plans) {
            if (&other != &wildcard && !other.endpoints.empty() && !other.listen->bind &&
                same_port(other.listen->address, wildcard.listen->address)) {
                wildcard.endpoints.push_back(std::move(other.endpoints.front()));
                other.endpoints.clear();
            }
        }
    }
    std::erase_if(plans, [](const Plan& plan) { return plan.endpoints.empty(); });
    return plans;
}

void set_option(int descriptor, int level, int name, int value)
{
    setsockopt(descriptor, level, name, &value, sizeof value);
}

void set_options(int descriptor, const config::Listen& listen)
{
    set_option(descriptor, SOL_SOCKET, SO_REUSEADDR, 1);
    if (listen.address.family() == AF_INET6) {
        set_option(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, listen.ipv6only ? 1 : 0);
    }
    // Connections inherit these from the socket that they are accepted on. Answers must not wait
    // for the client's delayed acknowledgement (Nagle's algorithm).
    if (listen.address.is_ip()) {
        set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
    }
    if (listen.rcvbuf) {
        set_option(descriptor, SOL_SOCKET, SO_RCVBUF, *listen.rcvbuf);
    }
    if (listen.sndbuf) {
        set_option(descriptor, SOL_SOCKET, SO_SNDBUF, *listen.sndbuf);
    }
    if (listen.so_keepalive) {
        const config::KeepAlive& keepalive = *listen.so_keepalive;
        set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, keepalive.on ? 1 : 0);
        if (keepalive.idle) {
            set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE,
                       static_cast<int>(keepalive.idle->count()));
        }
        if (keepalive.interval) {
            set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL,
                       static_cast<int>(keepalive.interval->count()));
        }
        if (keepalive.count) {
            set_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT, *keepalive.count);
        }
    }
}

// Returns a descriptor, or -1 and errno. With "multipath" clients may use several paths (RFC 8684);
// those that don't know that notice nothing. A system may have no such thing, or have it switched
// off.
int make_socket(const config::Listen& listen, const Report& report)
{
    constexpr int kType = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    if (listen.multipath) {
        const int descriptor = socket(listen.address.family(), kType, IPPROTO_MPTCP);
        if (descriptor >= 0) {
            return descriptor;
        }
        report(LogLevel::warn,
               fmt::format("socket(IPPROTO_MPTCP) for {} failed{}, \"multipath\" in {} is ignored",
                           listen.address.text(), log::errno_text(errno), listen.where.text()));
    }
    return socket(listen.address.family(), kType, 0);
}

// The protocol of a socket is for good.
void check_protocol(int descriptor, const config::Listen& listen, const Report& report)
{
    int protocol = 0;
    socklen_t size = sizeof protocol;
    if (listen.address.is_ip() &&
        getsockopt(descriptor, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 &&
        listen.multipath != (protocol == IPPROTO_MPTCP)) {
        report(LogLevel::warn,
               fmt::format("{} keeps its socket {} multipath TCP until Postern is started anew",
                           listen.address.text(), listen.multipath ? "without" : "with"));
    }
}

// Returns a descriptor, or -1 and errno.
int bind_once(const config::Listen& listen, Mode mode, const Report& report)
{
    const int descriptor = make_socket(listen, report);
    if (descriptor < 0) {
        return -1;
    }
    set_options(descriptor, listen);
    const SocketAddress& address = listen.address;
    int result = bind(descriptor, address.data(), address.size());
    if (result != 0 && errno == EADDRINUSE) {
        const bool removed = address.is_unix() && remove_if_stale(address);
        result = removed ? bind(descriptor, address.data(), address.size()) : -1;
        errno = removed ? errno : EADDRINUSE;
    }
    if (result == 0 && address.is_unix()) {
        const std::string path(address.path());
        chmod(path.c_str(), 0666);  // NGINX: any local user may connect
        if (mode == Mode::test) {
            unlink(path.c_str());
        }
    }
    if (result != 0 || ::listen(descriptor, listen.backlog) != 0) {
        const int error = errno;
        close(descriptor);
        errno = error;
        return -1;
    }
    return descriptor;
}

}  // namespace

bool remove_if_stale(const SocketAddress& address)
{
    const std::string path(address.path());
    struct stat status{};
    if (lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) {
        return false;
    }
    const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const bool refused =
        connect(probe, address.data(), address.size()) != 0 && errno == ECONNREFUSED;
    close(probe);
    return refused && unlink(path.c_str()) == 0;
}

Socket::Socket(Socket&& other) noexcept
    : endpoints(std::move(other.endpoints)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      address_(other.address_),
      activated_(other.activated_)
{
}

Socket& Socket::operator=(Socket&& other) noexcept
{
    std::swap(endpoints, other.endpoints);
    std::swap(descriptor_, other.descriptor_);
    std::swap(address_, other.address_);
    std::swap(activated_, other.activated_);
    return *this;
}

Socket::~Socket()
{
    close();
}

void Socket::close()
{
    if (descriptor_ >= 0) {
        ::close(std::exchange(descriptor_, -1));
    }
}

std::expected<Socket, std::string> Socket::duplicate() const
{
    const int copy = fcntl(descriptor_, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) {
        return std::unexpected("fcntl(F_DUPFD_CLOEXEC) failed" + log::errno_text(errno));
    }
    Socket socket(copy, address_);
    socket.activated_ = activated_;
    return socket;
}

void Socket::remove_file() const
{
    if (address_.is_unix() && !activated_) {
        unlink(std::string(address_.path()).c_str());
    }
}

const Endpoint& Socket::endpoint_of(int accepted) const
{
    if (endpoints.size() > 1) {
        sockaddr_storage storage;
        socklen_t size = sizeof storage;
        if (getsockname(accepted, reinterpret_cast<sockaddr*>(&storage), &size) == 0) {
            const auto local =
                SocketAddress::from(reinterpret_cast<const sockaddr*>(&storage), size);
            for (const Endpoint& endpoint : endpoints) {
                if (endpoint.address == local) {
                    return endpoint;
                }
            }
        }
    }
    return endpoints.front();
}

std::expected<std::vector<Socket>, std::string> open_sockets(const config::Settings& settings,
                                                             std::vector<Socket>& old, Mode mode,
                                                             const Report& report)
{
    std::vector<Socket> sockets;
    std::vector<Plan> plans = make_plans(settings);
    for (int attempt = 1; !plans.empty(); ++attempt) {
        std::vector<Plan> busy;
        for (Plan& plan : plans) {
            const SocketAddress& address = plan.listen->address;
            const auto known = std::ranges::find(old, address, &Socket::address);
            if (known != old.end()) {
                known->endpoints = std::move(plan.endpoints);
                // What may have been changed; some options are for good.
                check_protocol(known->descriptor(), *plan.listen, report);
                set_options(known->descriptor(), *plan.listen);
                ::listen(known->descriptor(), plan.listen->backlog);
                sockets.push_back(std::move(*known));
                old.erase(known);
                continue;
            }
            const int descriptor = bind_once(*plan.listen, mode, report);
            if (descriptor >= 0) {
                Socket& socket = sockets.emplace_back(descriptor, address);
                socket.endpoints = std::move(plan.endpoints);
                continue;
            }
            const std::string text =
                fmt::format("bind() to {} failed{}", address.text(), log::errno_text(errno));
            if (errno != EADDRINUSE) {
                return std::unexpected(text);
            }
            if (mode == Mode::serve) {
                report(LogLevel::emerg, text);
                busy.push_back(std::move(plan));
            }
        }
        plans = std::move(busy);
        if (plans.empty()) {
            break;
        }
        if (attempt == kBindAttempts) {
            return std::unexpected("still could not bind()");
        }
        report(LogLevel::notice, fmt::format("try again to bind() after {}ms", kBindPause.count()));
        std::this_thread::sleep_for(kBindPause);
    }
    return sockets;
}

}  // namespace postern::listen
