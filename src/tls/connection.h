#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/io.h"
#include "tls/openssl.h"

namespace postern::tls {

// What a connection talks through: a socket, without waiting.
class Transport
{
public:
    virtual Io receive(std::span<char> space) = 0;
    virtual Io send(std::string_view bytes) = 0;

protected:
    ~Transport() = default;
};

// Memory of an event loop that its connections borrow while they work, so that they own none while
// they are idle.
class Workspace;

// One side of TLS over a transport. It knows no event loop: calls never wait, and whoever gets
// `would_block` tries again when the transport has become ready.
class Connection
{
public:
    // `ssl` comes from an Acceptor or a ClientContext. The transport and the workspace outlive this.
    Connection(SslPtr ssl, Transport& transport, Workspace& workspace);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // Takes the handshake further; done when it is over. If it fails, `error` says why:
    // "SSL_do_handshake() failed (SSL: ...)". The peer has been sent its alert.
    Io handshake();
    const std::string& error() const { return error_; }

    Io read(std::span<char> space);
    // Takes as much as a turn allows. What the transport doesn't take now is kept and sent by
    // `flush`, before which nothing more is taken.
    Io write(std::string_view bytes);
    Io flush();
    bool flushed() const { return unsent_.empty(); }
    // Seals the last words, "close_notify".
    void close();

    // True if bytes have arrived that `read` can give without the transport.
    bool has_pending() const;

    const ssl_st* ssl() const { return ssl_.get(); }
    std::string_view protocol() const;  // "TLSv1.3"
    std::string_view cipher() const;    // "TLS_AES_256_GCM_SHA384"

private:
    SslPtr ssl_;
    Transport& transport_;
    Workspace& workspace_;
    std::string unread_;  // received, not opened
    std::string unsent_;  // sealed, not sent
    std::string error_;
};

}  // namespace postern::tls
