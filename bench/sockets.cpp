#include "bench/sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace postern::bench {

namespace {

void check(int result, const std::string& what)
{
    if (result < 0) {
        throw std::system_error(errno, std::generic_category(), what);
    }
}

sockaddr_in loopback(std::uint16_t port)
{
    return {.sin_family = AF_INET,
            .sin_port = htons(port),
            .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
}

Descriptor stream_socket()
{
    Descriptor made(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    check(made.number(), "socket()");
    constexpr int kOn = 1;
    check(setsockopt(made.number(), IPPROTO_TCP, TCP_NODELAY, &kOn, sizeof kOn),
          "setsockopt(TCP_NODELAY)");
    return made;
}

}  // namespace

Descriptor listen_on(std::uint16_t port)
{
    Descriptor listener = stream_socket();
    constexpr int kOn = 1;
    check(setsockopt(listener.number(), SOL_SOCKET, SO_REUSEADDR, &kOn, sizeof kOn),
          "setsockopt(SO_REUSEADDR)");
    const sockaddr_in address = loopback(port);
    check(bind(listener.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
          "bind() to port " + std::to_string(port));
    constexpr int kBacklog = 65535;  // the kernel makes it as much as it allows
    check(listen(listener.number(), kBacklog), "listen()");
    return listener;
}

Descriptor connect_to(std::uint16_t port)
{
    Descriptor made = stream_socket();
    const sockaddr_in address = loopback(port);
    const int result =
        connect(made.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    if (result != 0 && errno != EINPROGRESS) {
        check(result, "connect()");
    }
    return made;
}

void raise_descriptor_limit()
{
    rlimit limit{};
    check(getrlimit(RLIMIT_NOFILE, &limit), "getrlimit()");
    limit.rlim_cur = limit.rlim_max;
    check(setrlimit(RLIMIT_NOFILE, &limit), "setrlimit()");
}

}  // namespace postern::bench
