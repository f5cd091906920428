#pragma once

#include <cstddef>
#include <expected>
#include <functional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/log_target.h"
#include "config/settings.h"
#include "tls/acceptor.h"

namespace postern::listen {

// A "listen" as connections see it: the address they came to, and whose it is.
struct Endpoint {
    SocketAddress address;
    std::string name;  // as log lines have it: "0.0.0.0:143"
    // Index in Settings::servers. Of several servers at this address the one for clients that ask
    // for none by name.
    std::size_t server = 0;
    config::Protocol protocol = config::Protocol::imap;
    bool proxy_protocol = false;              // a PROXY header comes before all else
    bool ssl = false;                         // TLS from the first byte
    const tls::Acceptor* acceptor = nullptr;  // null: no TLS here; it knows the other servers
};

// A listening socket. Where a port has a wildcard address, that alone is bound, and stands for the
// others of its port: they are told apart by a connection's local address.
class Socket
{
public:
    Socket(int descriptor, SocketAddress address) : descriptor_(descriptor), address_(address) {}
    Socket(Socket&& other) noexcept;
    Socket& operator=(Socket&& other) noexcept;
    ~Socket();

    // Refuses connections from now on. Those that were accepted still know their endpoint.
    void close();

    int descriptor() const { return descriptor_; }
    const SocketAddress& address() const { return address_; }
    // A service manager has made it, and wants to keep it: its file, if it is a UNIX socket, is not
    // ours to delete.
    void set_activated(bool activated = true) { activated_ = activated; }
    bool is_activated() const { return activated_; }
    // The same socket once more.
    std::expected<Socket, std::string> duplicate() const;
    // Deletes the file of a UNIX socket, so that clients see at once that nobody is there.
    void remove_file() const;
    // The endpoint of a connection that was accepted here.
    const Endpoint& endpoint_of(int accepted) const;

    std::vector<Endpoint> endpoints;  // the first is this socket's own address

private:
    int descriptor_;
    SocketAddress address_;
    bool activated_ = false;
};

// Deletes the file of a UNIX socket if nobody listens on it; any other file refuses connections as
// well, and is somebody's. True: it is gone.
bool remove_if_stale(const SocketAddress& address);

enum class Mode : unsigned char { serve, test };

// Told what happens on the way.
using Report = std::function<void(LogLevel, const std::string&)>;

// Binds and listens for all servers. Sockets of `old` that have the same address are taken over, so
// that a reload refuses no connection; the others stay in it. An address in use is tried again for
// some seconds (in Mode::test it counts as fine). The error is complete, but for its level.
std::expected<std::vector<Socket>, std::string> open_sockets(const config::Settings& settings,
                                                             std::vector<Socket>& old, Mode mode,
                                                             const Report& report);

}  // namespace postern::listen
