#include "tls/connection.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "base/assert.h"
#include "base/text.h"
#include "tls/hkdf.h"
#include "tls/lean/channel.h"
#include "tls/lean/witness.h"
#include "tls/workspace.h"

namespace postern::tls {

// The ends of a connection that OpenSSL reads from and writes to.
struct Bio {
    static const BIO_METHOD* method()
    {
        static const BIO_METHOD* const made = [] {
            BIO_METHOD* fresh = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "postern");
            BIO_meth_set_read(fresh, read);
            BIO_meth_set_write(fresh, write);
            BIO_meth_set_ctrl(fresh, control);
            return fresh;
        }();
        return made;
    }

    static int read(BIO* bio, char* space, int size)
    {
        Connection& self = *static_cast<Connection*>(BIO_get_data(bio));
        BIO_clear_retry_flags(bio);
        if (self.input_.empty()) {
            if (self.ended_.status == Io::Status::done) {
                const std::span<char> room(self.workspace_.received.get(), self.receive_max_);
                const Io io = self.transport_.receive(room);
                if (io.status == Io::Status::would_block) {
                    BIO_set_retry_read(bio);
                    return -1;
                }
                if (io.status != Io::Status::done) {
                    self.ended_ = io;
                } else {
                    self.input_ = {room.data(), io.bytes};
                }
            }
            if (self.input_.empty()) {
                return self.ended_.status == Io::Status::closed ? 0 : -1;
            }
        }
        const std::size_t taken = std::min(self.input_.size(), static_cast<std::size_t>(size));
        std::memcpy(space, self.input_.data(), taken);
        self.input_.remove_prefix(taken);
        return static_cast<int>(taken);
    }

    static int write(BIO* bio, const char* bytes, int size)
    {
        Connection& self = *static_cast<Connection*>(BIO_get_data(bio));
        BIO_clear_retry_flags(bio);
        try {
            self.workspace_.sealed.append(bytes, static_cast<std::size_t>(size));
        } catch (const std::bad_alloc&) {  // OpenSSL is not to see it
            self.ended_ = {.status = Io::Status::failed, .error = ENOMEM};
            return -1;
        }
        return size;
    }

    static long control(BIO* bio, int command, long, void*)
    {
        const Connection& self = *static_cast<Connection*>(BIO_get_data(bio));
        switch (command) {
        case BIO_CTRL_FLUSH:
            return 1;
        case BIO_CTRL_EOF:
            return self.ended_.status == Io::Status::closed ? 1 : 0;
        default:
            return 0;
        }
    }
};

void Connection::prepare(ssl_ctx_st& context)
{
    Bio::method();  // made for good: before there is a connection that may be short of memory
    SSL_CTX_set_options(
        &context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(&context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                   SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

Connection::Connection(SslPtr ssl, Transport& transport, Workspace& workspace)
    : ssl_(std::move(ssl)), transport_(transport), workspace_(workspace)
{
    BIO* const bio = BIO_new(Bio::method());
    if (bio == nullptr) {
        throw std::bad_alloc();
    }
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio);
}

Connection::~Connection()
{
    if (!ssl_) {
        return;
    }
    // OpenSSL forgets a session whose connection ended without goodbyes; its keys are as good as
    // they were.
    SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

// Makes what was left over the input, and leaves room behind it in the workspace.
void Connection::begin(std::size_t receive_max)
{
    ERR_clear_error();
    workspace_.sealed.clear();  // of whoever was short of memory
    receive_max_ = std::clamp(receive_max, Workspace::kReceivedMin, Workspace::kReceivedBytes);
    input_ = unread_;
}

void Connection::end()
{
    forget_keys();
    keep_input();
    send_answers();
}

void Connection::send_answers()
{
    if (!workspace_.sealed.empty()) {
        send_sealed(workspace_.sealed);
        workspace_.sealed.clear();
    }
}

// What is left over of it.
void Connection::keep_input()
{
    if (input_.empty()) {
        release(unread_);
    } else if (input_.data() >= unread_.data() && input_.data() < unread_.data() + unread_.size()) {
        unread_.erase(0, unread_.size() - input_.size());
    } else {
        unread_ = input_;
    }
    input_ = {};
}

// Sends that, behind what was held, and keeps what can't be sent yet.
void Connection::send_sealed(std::string_view rest)
{
    std::string together;
    if (is_held_) {
        together = std::exchange(unsent_, std::string());
        is_held_ = false;
        together += rest;
        rest = together;
    }
    while (unsent_.empty() && !rest.empty()) {
        const Io io = transport_.send(rest);
        if (io.status == Io::Status::would_block) {
            break;
        }
        if (io.status != Io::Status::done) {
            ended_ = io;
            rest = {};
            break;
        }
        rest.remove_prefix(io.bytes);
    }
    unsent_ += rest;
    if (unsent_.size() > kUnsentMax) {
        release(unsent_);
        ended_ = {.status = Io::Status::failed, .error = ENOBUFS};
    }
}

Io Connection::handshake()
{
    if (lean_) {
        return {};
    }
    begin(Workspace::kReceivedMin);
    const lean::WatchedHandshake watched(*ssl_);
    const int result = SSL_do_handshake(ssl_.get());
    const Io io = result == 1 ? Io{} : failure(result, "SSL_do_handshake");
    if (result == 1) {
        hold_tickets();
    }
    end();
    return io;
}

// A server of TLS 1.3 is done with its peer's last word, and has only tickets to send then (RFC
// 8446 section 4.6.1). Alone they would cost each connection a segment, and its peer a wake-up.
void Connection::hold_tickets()
{
    std::string& sealed = workspace_.sealed;
    if (SSL_is_server(ssl_.get()) == 1 && SSL_version(ssl_.get()) >= TLS1_3_VERSION &&
        unsent_.empty() && !sealed.empty()) {
        unsent_ = sealed;
        sealed.clear();
        is_held_ = true;
    }
}

Io Connection::read(std::span<char> space)
{
    if (lean_) {
        return read_lean(space);
    }
    if (!error_.empty()) {
        // OpenSSL would say now that the peer has closed, as it did with its fatal alert.
        return {.status = Io::Status::failed, .error = EPROTO};
    }
    begin(space.size());
    is_drained_ = false;
    Io io;
    while (io.bytes < space.size() && !is_drained_) {
        std::size_t bytes = 0;
        const int result =
            SSL_read_ex(ssl_.get(), space.data() + io.bytes, space.size() - io.bytes, &bytes);
        if (result != 1) {
            const Io why = failure(result, "SSL_read");
            if (io.bytes == 0) {
                io = why;  // else it is met again by the next call
            }
            is_drained_ = why.status == Io::Status::would_block;
            break;
        }
        io.bytes += bytes;
        is_drained_ = input_.empty() && SSL_has_pending(ssl_.get()) == 0 && !transport_.ready();
    }
    end();
    if (lets_go_) {
        become_lean();
    }
    return io;
}

Io Connection::write(std::string_view bytes)
{
    if (!flushed()) {
        if (const Io io = flush(); io.status != Io::Status::done) {
            return io;
        }
    }
    if (ended_.status == Io::Status::failed) {
        return ended_;
    }
    bytes = bytes.substr(0, kWriteMax);
    if (lean_) {
        return write_lean(bytes);
    }
    begin(Workspace::kReceivedMin);
    Io io;
    while (!bytes.empty()) {
        std::size_t taken = 0;
        const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &taken);
        if (result != 1) {
            const Io why = failure(result, "SSL_write");
            if (io.bytes == 0) {
                io = why;
            }
            break;
        }
        io.bytes += taken;
        bytes.remove_prefix(taken);
    }
    end();
    return ended_.status == Io::Status::failed ? ended_ : io;
}

Io Connection::flush()
{
    std::size_t sent = 0;
    Io io;
    while (sent < unsent_.size()) {
        io = transport_.send(std::string_view(unsent_).substr(sent));
        if (io.status != Io::Status::done) {
            break;
        }
        sent += io.bytes;
    }
    if (io.status == Io::Status::failed) {
        ended_ = io;  // nobody will ever read the rest
        sent = unsent_.size();
    }
    if (sent == unsent_.size()) {
        release(unsent_);
    } else {
        unsent_.erase(0, sent);
    }
    return io;
}

void Connection::close() noexcept
try {
    if (lean_) {
        workspace_.sealed.clear();
        if (ended_.status != Io::Status::failed) {
            lean_->close(workspace_.sealed);
            send_answers();
        }
        return;
    }
    if (SSL_is_init_finished(ssl_.get()) && ended_.status != Io::Status::failed && error_.empty()) {
        begin(Workspace::kReceivedMin);
        SSL_shutdown(ssl_.get());
        end();
    }
} catch (const std::bad_alloc&) {  // the peer takes it for an end that nobody has announced
}

// What `result` of a call means; `error_` is set if the peer is to blame.
Io Connection::failure(int result, std::string_view what)
{
    switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return {.status = Io::Status::would_block};
    case SSL_ERROR_ZERO_RETURN:
        return {.status = Io::Status::closed};
    default:
        break;
    }
    if (ended_.status != Io::Status::done) {
        ERR_clear_error();  // the transport says more than "unexpected eof"
        return ended_;
    }
    error_ = std::string(what) + "() failed" + take_errors();
    return {.status = Io::Status::failed, .error = EPROTO};
}

void Connection::forget_session() const
{
    POSTERN_ASSERT(ssl_ != nullptr);
    SSL_CTX_remove_session(SSL_get_SSL_CTX(ssl_.get()), SSL_get0_session(ssl_.get()));
}

std::string_view Connection::protocol() const
{
    return lean_ ? "TLSv1.3" : SSL_get_version(ssl_.get());
}

std::string_view Connection::cipher() const
{
    return lean_ ? lean_->facts().name : SSL_get_cipher_name(ssl_.get());
}

std::string Connection::description() const
{
    std::string text = fmt::format("{}, {}", protocol(), cipher());
    if (lean_) {
        return text;
    }
    if (SSL_session_reused(ssl_.get()) != 0) {
        text += ", resumed";
    }
    if (const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name)) {
        text += fmt::format(", name \"{}\"", escape_for_log(name, 256));
    }
    return text;
}

}  // namespace postern::tls
