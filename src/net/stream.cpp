#include "net/stream.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/descriptor.h"
#include "log/logger.h"
#include "tls/acceptor.h"

namespace postern::net {

using log::errno_text;

namespace {

constexpr std::uint32_t kWatchReading = EPOLLIN | EPOLLRDHUP | EPOLLET;
constexpr std::uint32_t kWatchBoth = kWatchReading | EPOLLOUT;

// As recv(2) and send(2), which glibc makes points where a thread may be cancelled: in a program of
// several threads that takes as long as a tenth of the system's own part. No thread is cancelled.
ssize_t receive_now(int descriptor, std::span<char> space, int flags)
{
    return syscall(SYS_recvfrom, descriptor, space.data(), space.size(), flags, nullptr, nullptr);
}

ssize_t send_now(int descriptor, std::string_view bytes)
{
    return syscall(SYS_sendto, descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL, nullptr, 0);
}

Stream::TlsFailure timed_out()
{
    return {Stream::TlsFailure::Reason::timed_out,
            "SSL handshake timed out" + errno_text(ETIMEDOUT)};
}

}  // namespace

Stream::Tls::Tls(Stream& under, tls::SslPtr ssl)
    : stream(under), connection(std::move(ssl), *this, under.loop_.tls_workspace())
{
}

Stream::Stream(Loop& loop, int descriptor, State state)
    : loop_(loop),
      descriptor_(descriptor),
      writable_(state == State::connected),
      watches_writing_(state == State::connecting)
{
    ++loop.connections_;
    if (loop.add(descriptor, *this, watches_writing_ ? kWatchBoth : kWatchReading) != 0) {
        hung_up_ = readable_ = writable_ = true;  // reads and writes will meet the error
    }
}

Stream::~Stream()
{
    if (tls_) {
        tls_->connection.close();
    }
    --loop_.connections_;
    loop_.forget(*this);
    close(descriptor_);  // which takes it out of epoll, as nobody else has it
}

Task<std::expected<std::unique_ptr<Stream>, int>> Stream::connect(Loop& loop, SocketAddress address,
                                                                  Deadline& deadline,
                                                                  FirstWord first_word)
{
    if (loop.full()) {
        co_return std::unexpected(ENFILE);
    }
    const int descriptor = socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        co_return std::unexpected(errno);
    }
    Descriptor owned(descriptor);  // until there is a stream
    if (address.is_ip()) {
        // Answers must not wait for the peer's delayed acknowledgement (Nagle's algorithm).
        const int on = 1;
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    const int result = ::connect(descriptor, address.data(), address.size());
    const int error = result == 0 ? 0 : errno;
    if (error != 0 && error != EINPROGRESS) {
        co_return std::unexpected(error);
    }
    const bool waits_to_read = first_word == FirstWord::theirs;
    auto stream = std::make_unique<Stream>(
        loop, descriptor, waits_to_read || result == 0 ? State::connected : State::connecting);
    owned.release();
    while (waits_to_read ? !stream->readable_ : !stream->writable_) {
        StreamEvent event(*stream, deadline);
        if (!co_await event) {
            co_return std::unexpected(ETIMEDOUT);
        }
    }
    if (stream->hung_up_) {
        int failure = 0;
        socklen_t size = sizeof failure;
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &size);
        if (failure != 0) {
            co_return std::unexpected(failure);
        }
    }
    co_return std::move(stream);
}

void Stream::on_ready(std::uint32_t events)
{
    // An error or a hang-up is met by the next call, whichever it is.
    if (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) {
        hung_up_ = true;
        readable_ = true;
    }
    if (events & (EPOLLERR | EPOLLHUP)) {
        writable_ = true;
    }
    if (events & EPOLLIN) {
        readable_ = true;
    }
    if (events & EPOLLOUT) {
        writable_ = true;
    }
    flush();
    if (const auto waiter = std::exchange(waiter_, {})) {
        waiter.resume();
    }
}

Task<std::expected<void, Stream::TlsFailure>> Stream::start_tls(tls::SslPtr ssl, Deadline& deadline)
{
    if (readable_) {
        co_await loop_.patient_turn();
    }
    tls_ = std::make_unique<Tls>(*this, std::move(ssl));
    auto done = co_await shake_hands(deadline);
    co_return done;
}

// The objects of a connection are some 30 KiB. Of many clients that have come at once, most wait
// for their turn: made before, the objects would have left the processor's caches when it comes.
Task<std::expected<void, Stream::TlsFailure>> Stream::start_tls(const tls::Acceptor& acceptor,
                                                                Deadline& deadline)
{
    while (!readable_) {
        StreamEvent event(*this, deadline);
        if (!co_await event) {
            co_return std::unexpected(timed_out());
        }
    }
    co_await loop_.patient_turn();
    tls_ = std::make_unique<Tls>(*this, acceptor.accept());
    auto done = co_await shake_hands(deadline);
    co_return done;
}

// The first step is taken at once, each other one when its turn has come.
Task<std::expected<void, Stream::TlsFailure>> Stream::shake_hands(Deadline& deadline)
{
    tls::Connection& connection = tls_->connection;
    using Reason = TlsFailure::Reason;
    for (;;) {
        const Io io = connection.handshake();
        switch (io.status) {
        case Io::Status::done:
            co_return std::expected<void, TlsFailure>();
        case Io::Status::closed:
            co_return std::unexpected(
                TlsFailure{Reason::closed, "peer closed connection in SSL handshake"});
        case Io::Status::failed:
            if (connection.error().empty()) {
                co_return std::unexpected(
                    TlsFailure{Reason::failed, "recv() failed" + errno_text(io.error)});
            }
            co_return std::unexpected(TlsFailure{Reason::failed, connection.error()});
        case Io::Status::would_block:
            break;
        }
        StreamEvent event(*this, deadline);
        if (!co_await event) {
            co_return std::unexpected(timed_out());
        }
        if (readable_) {
            co_await loop_.patient_turn();
        }
    }
}

Task<std::expected<void, Stream::TlsFailure>> Stream::start_tls(const tls::ClientContext& context,
                                                                tls::ClientContext::Target target,
                                                                Deadline& deadline)
{
    tls::SslPtr ssl = context.connect(target);
    auto done = co_await start_tls(std::move(ssl), deadline);
    if (done) {
        std::string problem = context.problem(tls_->connection.ssl(), target);
        if (!problem.empty()) {
            done = std::unexpected(TlsFailure{TlsFailure::Reason::untrusted, std::move(problem)});
        }
    }
    co_return done;
}

void Stream::let_go_of_tls_objects()
{
    if (tls_) {
        tls_->connection.let_go();
    }
}

Io Stream::read(std::span<char> space)
{
    if (!tls_) {
        return receive(space);
    }
    tls::Connection& connection = tls_->connection;
    return connection.drained() ? Io{.status = Io::Status::would_block} : connection.read(space);
}

Io Stream::write(std::string_view bytes)
{
    return tls_ ? tls_->connection.write(bytes) : send(bytes);
}

// What waits under TLS goes out, and then the end, if it was asked for.
void Stream::flush()
{
    if (tls_ && writable_ && !tls_->connection.flushed()) {
        tls_->connection.flush();
    }
    if (shutting_down_ && flushed()) {
        shutting_down_ = false;
        shutdown(descriptor_, SHUT_WR);
    }
}

Io Stream::receive(std::span<char> space)
{
    if (!readable_) {
        return {.status = Io::Status::would_block};
    }
    ssize_t result;
    do {
        result = receive_now(descriptor_, space, 0);
    } while (result < 0 && errno == EINTR);
    return finish_read(result, result > 0 && static_cast<std::size_t>(result) < space.size());
}

Io Stream::peek(std::span<char> space)
{
    if (!readable_) {
        return {.status = Io::Status::would_block};
    }
    ssize_t result;
    do {
        result = receive_now(descriptor_, space, MSG_PEEK);
    } while (result < 0 && errno == EINTR);
    return finish_read(result, false);
}

SocketAddress Stream::local_address() const
{
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    if (getsockname(descriptor_, reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
        return {};
    }
    return SocketAddress::from(reinterpret_cast<const sockaddr*>(&storage), size);
}

Io Stream::send(std::string_view bytes)
{
    if (!writable_) {
        return {.status = Io::Status::would_block};
    }
    ssize_t result;
    do {
        result = send_now(descriptor_, bytes);
    } while (result < 0 && errno == EINTR);
    return finish_write(result, result >= 0 && static_cast<std::size_t>(result) < bytes.size());
}

void Stream::shutdown_write()
{
    if (tls_) {
        tls_->connection.close();
    }
    shutting_down_ = true;
    flush();
}

Io Stream::splice_to(int pipe, std::size_t bytes)
{
    if (!readable_) {
        return {.status = Io::Status::would_block};
    }
    // A short splice says nothing: it stops at the pipe's size too. Only EAGAIN means drained.
    return finish_read(
        splice(descriptor_, nullptr, pipe, nullptr, bytes, SPLICE_F_MOVE | SPLICE_F_NONBLOCK),
        false);
}

Io Stream::splice_from(int pipe, std::size_t bytes)
{
    if (!writable_) {
        return {.status = Io::Status::would_block};
    }
    return finish_write(
        splice(pipe, nullptr, descriptor_, nullptr, bytes, SPLICE_F_MOVE | SPLICE_F_NONBLOCK),
        false);
}

Io Stream::finish_read(ssize_t result, bool short_read)
{
    if (result > 0) {
        // A short read has emptied the socket, and new bytes make a new edge. The end does not, if
        // it was announced together with the bytes.
        if (short_read && !hung_up_) {
            readable_ = false;
        }
        return {.bytes = static_cast<std::size_t>(result)};
    }
    if (result == 0) {
        return {.status = Io::Status::closed};
    }
    if (errno == EAGAIN) {
        readable_ = false;
        return {.status = Io::Status::would_block};
    }
    return {.status = Io::Status::failed, .error = errno};
}

// The socket's buffer is full. Were it watched from the start, each connection would wake the loop
// once to say that there is room.
void Stream::wait_for_room()
{
    writable_ = false;
    if (!watches_writing_) {
        watches_writing_ = true;
        loop_.modify(descriptor_, *this, kWatchBoth);  // tells also of room that was made meanwhile
    }
}

Io Stream::finish_write(ssize_t result, bool short_write)
{
    if (result >= 0) {
        if (short_write) {
            wait_for_room();
        }
        return {.bytes = static_cast<std::size_t>(result)};
    }
    if (errno == EAGAIN) {
        wait_for_room();
        return {.status = Io::Status::would_block};
    }
    const int error = errno;
    hung_up_ = readable_ = true;  // what the peer said before may be unread
    return {.status = Io::Status::failed, .error = error};
}

}  // namespace postern::net
