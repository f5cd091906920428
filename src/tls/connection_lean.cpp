// A connection that has let go of OpenSSL's objects.
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "tls/connection.h"
#include "tls/lean/witness.h"
#include "tls/workspace.h"

namespace postern::tls {

void Connection::let_go()
{
    if (ssl_ && lean::is_watched(*ssl_)) {
        lets_go_ = true;
        become_lean();
    }
}

// If OpenSSL is at rest; else after a later read.
void Connection::become_lean()
{
    if (!error_.empty() || ended_.status == Io::Status::failed) {
        lets_go_ = false;
        return;
    }
    const auto beginning = lean::take_over(*ssl_, workspace_.lean);
    if (!beginning) {
        return;
    }
    lean_ = std::make_unique<lean::Channel>(*beginning, workspace_.lean);
    SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);  // see ~Connection
    ssl_.reset();
    lets_go_ = false;
}

// Returns what it has got from one receive: whoever wants more comes again.
Io Connection::read_lean(std::span<char> space)
{
    workspace_.sealed.clear();  // of whoever was short of memory
    input_ = unread_;
    is_drained_ = false;
    Io io = lean_->read(input_, space, workspace_.sealed);
    while (io.status == Io::Status::would_block) {
        if (const Io more = receive_more(space.size()); more.status != Io::Status::done) {
            io = more;
            is_drained_ = more.status == Io::Status::would_block;
            break;
        }
        io = lean_->read(input_, space, workspace_.sealed);
    }
    end();
    if (io.status == Io::Status::failed && lean_->has_failed()) {
        return lean_failure("SSL_read");
    }
    return io;
}

// Puts what arrives behind what is left of the input.
Io Connection::receive_more(std::size_t receive_max)
{
    if (ended_.status != Io::Status::done) {
        return ended_;
    }
    char* const room = workspace_.received.get();
    const std::size_t left = input_.size();
    const bool is_here = input_.data() != unread_.data();
    if (is_here) {
        std::memmove(room, input_.data(), left);
        input_ = {room, left};
    }
    const std::size_t bytes =
        std::min(std::max(receive_max, Workspace::kReceivedMin), Workspace::kReceivedBytes - left);
    const Io io = transport_.receive({room + left, bytes});
    if (io.status == Io::Status::done) {
        if (!is_here) {
            std::memcpy(room, input_.data(), left);
        }
        input_ = {room, left + io.bytes};
    } else if (io.status != Io::Status::would_block) {
        ended_ = io;
    }
    return io;
}

Io Connection::write_lean(std::string_view bytes)
{
    const std::span<char> room(workspace_.received.get(), Workspace::kBytes);
    const lean::Channel::Sealed sealed = lean_->write(bytes, room);
    if (sealed.size > 0) {
        send_sealed({room.data(), sealed.size});
    }
    if (ended_.status == Io::Status::failed) {
        return ended_;
    }
    if (sealed.taken == 0 && !bytes.empty()) {
        return lean_failure("SSL_write");
    }
    return {.bytes = sealed.taken};
}

Io Connection::lean_failure(std::string_view what)
{
    if (error_.empty()) {
        ERR_clear_error();
        if (lean_->has_failed()) {
            lean_->raise_fault();
        } else {
            ERR_raise(ERR_LIB_SSL, SSL_R_PROTOCOL_IS_SHUTDOWN);
        }
        error_ = std::string(what) + "() failed" + take_errors();
    }
    return {.status = Io::Status::failed, .error = EPROTO};
}

}  // namespace postern::tls
