#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/io.h"
#include "tls/openssl.h"

namespace postern::tls {

struct Workspace;

namespace lean {
class Channel;
}

// What a connection talks through: a socket, without waiting.
class Transport
{
public:
    virtual Io receive(std::span<char> space) = 0;
    virtual Io send(std::string_view bytes) = 0;
    // May there be something to receive? False spares the call.
    virtual bool ready() const = 0;

protected:
    ~Transport() = default;
};

// One side of TLS over a transport. It knows no event loop: calls never wait, and whoever gets
// `would_block` tries again when the transport has become ready. One call of the transport takes
// all records that have arrived, and one sends all that were sealed; memory is owned only while a
// record is incomplete or sending is blocked.
class Connection
{
public:
    // What is sealed and can't be sent, at most: a peer that makes us answer (key updates) and
    // doesn't read is hung up on.
    static constexpr std::size_t kUnsentMax = 512 * 1024;
    // Taken by one `write`, at most.
    static constexpr std::size_t kWriteMax = 128 * 1024;

    // Makes a context fit for connections: what they rely on, and what no TLS of ours has.
    static void prepare(ssl_ctx_st& context);

    // `ssl` comes from an Acceptor or a ClientContext. The transport and the workspace outlive
    // this.
    Connection(SslPtr ssl, Transport& transport, Workspace& workspace);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    // Takes the handshake further; done when it is over. If it fails, the peer has been sent its
    // alert, and `error` says why: "SSL_do_handshake() failed (SSL: ...)". A server's tickets,
    // which nobody waits for, go out together with what is sealed next.
    Io handshake();
    const std::string& error() const { return error_; }

    // `failed` with EPROTO: the peer broke the rules of TLS, and `error` says how.
    Io read(std::span<char> space);
    // Nothing can be read before the transport is ready.
    bool drained() const { return is_drained_ && !transport_.ready(); }
    // Takes at most kWriteMax. What the transport doesn't take now is kept; nothing more is taken
    // before `flush` has sent it.
    Io write(std::string_view bytes);
    Io flush();
    bool flushed() const { return unsent_.empty() || is_held_; }
    // Seals the last words, "close_notify" (RFC 8446 section 6.1).
    void close() noexcept;

    // Where lean::watch was told so: lets go of OpenSSL's objects, most of a connection's memory,
    // and goes on with its keys alone; as soon as OpenSSL holds nothing of what was received. To be
    // called when all is known of the peer that will ever be asked for.
    void let_go();
    bool is_lean() const { return lean_ != nullptr; }

    // So that the session is not resumed from a cache: its peer is not welcome. Not after `let_go`.
    void forget_session() const;

    // Null once `let_go` has done so.
    ssl_st* ssl() const { return ssl_.get(); }
    std::string_view protocol() const;  // "TLSv1.3"
    std::string_view cipher() const;    // "TLS_AES_256_GCM_SHA384"
    // For logs: `TLSv1.3, TLS_AES_256_GCM_SHA384, resumed, name "mail.example"`; the first two
    // after `let_go`.
    std::string description() const;

private:
    friend struct Bio;

    void begin(std::size_t receive_max);
    void end();
    void keep_input();
    void send_answers();
    void send_sealed(std::string_view sealed);
    void hold_tickets();
    Io failure(int result, std::string_view what);

    void become_lean();
    Io read_lean(std::span<char> space);
    Io write_lean(std::string_view bytes);
    Io receive_more(std::size_t receive_max);
    Io lean_failure(std::string_view what);

    SslPtr ssl_;
    std::unique_ptr<lean::Channel> lean_;  // instead
    Transport& transport_;
    Workspace& workspace_;
    std::string unread_;  // received, not opened
    std::string unsent_;  // sealed, not sent
    std::string error_;
    std::string_view input_;  // of unread_, during a call
    std::size_t receive_max_ = 0;
    Io ended_;  // what the transport said last, once it is at its end
    bool lets_go_ = false;
    bool is_drained_ = false;  // all that was received has been read
    bool is_held_ = false;     // what is unsent, until something else is sealed
};

}  // namespace postern::tls
