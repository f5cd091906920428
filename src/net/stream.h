#pragma once

#include <coroutine>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string_view>

#include "base/address.h"
#include "base/io.h"
#include "net/deadline.h"
#include "net/loop.h"
#include "net/task.h"
#include "tls/client_context.h"
#include "tls/connection.h"

namespace postern::tls {
class Acceptor;
}

namespace postern::net {

using postern::Io;

class StreamEvent;

// A connected socket, the one thing that sessions read and write. Registered with its loop,
// edge-triggered: to be read, and to be written from the first time that it takes no more, which
// most never come to. What epoll said is remembered, so that no call is made that would block.
// Calls never wait: whoever gets `would_block` awaits an `event` and tries again. It is plain until
// `start_tls`; those who read and write need not care.
class Stream final : public Watcher
{
public:
    enum class State : unsigned char { connected, connecting };

    // Owns `descriptor`, which must be non-blocking.
    Stream(Loop& loop, int descriptor, State state = State::connected);
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    // Who says something first, once they are connected.
    enum class FirstWord : unsigned char { ours, theirs };

    // Connects to `address`; an errno value if that fails: ETIMEDOUT after the deadline, ENFILE
    // if the loop has no connection left ("worker_connections"). If the first word is theirs, it is
    // waited for, which saves being woken before it comes: who does not say it has not answered.
    static Task<std::expected<std::unique_ptr<Stream>, int>> connect(Loop& loop,
                                                                     SocketAddress address,
                                                                     Deadline& deadline,
                                                                     FirstWord first_word);

    // Why a TLS handshake failed.
    struct TlsFailure {
        enum class Reason : unsigned char { closed, failed, timed_out, untrusted };
        Reason reason = Reason::failed;
        // For the log: "SSL_do_handshake() failed (SSL: ...)", or what is wrong with the peer's
        // certificate, to follow its name: "SSL certificate does not match \"NAME\"".
        std::string text;
    };

    // Runs a TLS handshake, after which all that is read and written goes through TLS. What the
    // peer has sent before must have been read, or belong to the handshake. The stream is of no use
    // after a failure. Many handshakes at once don't keep other sessions waiting.
    Task<std::expected<void, TlsFailure>> start_tls(tls::SslPtr ssl, Deadline& deadline);
    // As a server: what OpenSSL needs for a connection is made when the client has said something
    // and its turn has come, not before.
    Task<std::expected<void, TlsFailure>> start_tls(const tls::Acceptor& acceptor,
                                                    Deadline& deadline);
    // As a client of that target: fails also if its certificate is not good enough.
    Task<std::expected<void, TlsFailure>> start_tls(const tls::ClientContext& context,
                                                    tls::ClientContext::Target target,
                                                    Deadline& deadline);
    // When all is known of the peer that will ever be asked for: under TLS with "ssl_lean" most of
    // the memory that a session costs is given back.
    void let_go_of_tls_objects();
    // Null while it is plain.
    const tls::Connection* tls() const { return tls_ ? &tls_->connection : nullptr; }

    Io read(std::span<char> space);
    Io write(std::string_view bytes);
    // Says that no more will be written; what was, still arrives.
    void shutdown_write();
    // Has all that was written left this process? Under TLS a part may still wait for the socket;
    // it is sent when that becomes writable, which is an event.
    bool flushed() const { return !tls_ || tls_->connection.flushed(); }

    // Looks at what a plain stream has received, from its start on, and leaves it there. Bytes that
    // arrive later are an event.
    Io peek(std::span<char> space);
    // Our end; empty if the system can't say.
    SocketAddress local_address() const;

    // Moves bytes between a plain stream and a pipe inside the kernel, as splice(2).
    Io splice_to(int pipe, std::size_t bytes);
    Io splice_from(int pipe, std::size_t bytes);
    bool can_splice() const { return !tls_; }

    // There may be something to read: what the peer has sent, or its end.
    bool readable() const { return readable_; }
    // True after the peer has gone, even if its last bytes are still unread.
    bool hung_up() const { return hung_up_; }
    Loop& loop() const { return loop_; }

private:
    friend class StreamEvent;

    // TLS over the socket: not a base, as plain streams would pay for it.
    struct Tls final : tls::Transport {
        Tls(Stream& under, tls::SslPtr ssl);
        Io receive(std::span<char> space) override { return stream.receive(space); }
        Io send(std::string_view bytes) override { return stream.send(bytes); }
        bool ready() const override { return stream.readable_; }

        Stream& stream;
        tls::Connection connection;
    };

    Task<std::expected<void, TlsFailure>> shake_hands(Deadline& deadline);
    void on_ready(std::uint32_t events) override;
    Io receive(std::span<char> space);
    Io send(std::string_view bytes);
    void flush();
    void wait_for_room();
    Io finish_read(ssize_t result, bool short_read);
    Io finish_write(ssize_t result, bool short_write);

    Loop& loop_;
    std::coroutine_handle<> waiter_;
    std::unique_ptr<Tls> tls_;
    int descriptor_;
    bool readable_ : 1 = false;
    bool writable_ : 1;
    bool watches_writing_ : 1;  // epoll will tell when it takes more
    bool hung_up_ : 1 = false;
    bool shutting_down_ : 1 = false;  // once all is flushed
};

// co_await until something happened on the stream (or on either of two), or the deadline passed:
// false. Something is anything: the caller tries what it wanted and comes back if it still can't.
class StreamEvent
{
public:
    StreamEvent(Stream& stream, Deadline& deadline)
        : first_(stream), second_(stream), deadline_(deadline)
    {
    }
    StreamEvent(Stream& first, Stream& second, Deadline& deadline)
        : first_(first), second_(second), deadline_(deadline)
    {
    }

    bool await_ready() const noexcept { return deadline_.expired(); }
    void await_suspend(std::coroutine_handle<> self) noexcept { wait(self); }
    bool await_resume() noexcept
    {
        wait({});
        return !deadline_.expired();
    }

private:
    void wait(std::coroutine_handle<> waiter) noexcept
    {
        first_.waiter_ = waiter;
        second_.waiter_ = waiter;
        deadline_.wake(waiter);
    }

    Stream& first_;
    Stream& second_;
    Deadline& deadline_;
};

}  // namespace postern::net
