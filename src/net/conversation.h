#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "net/stream.h"

namespace postern::net {

// A connection died before login. Thrown by waits, caught at the end of the session (or by `login`,
// which makes a backend's death a value).
struct Disconnected {
    enum class Reason : unsigned char { closed, failed, timed_out };
    Reason reason = Reason::closed;
    int error = 0;                // errno value, if failed
    const char* call = "recv()";  // that failed
    // If it is TLS that failed: "SSL_read() failed (SSL: ...)". With TLS 1.3 a peer that doesn't
    // like our certificate says so only after the handshake (RFC 8446 section 4.4.2.4).
    std::string tls;

    // "closed", or the errno text.
    std::string text() const;
    // Of a failed one, for the log: what TLS says, or "recv() failed (104: ...)".
    std::string failure() const;
};

// A peer has sent more than it may in all. Thrown by `fill`.
struct SentTooMuch {
    std::size_t bytes_most = 0;
};

// The talk on a stream before the relay: a bounded buffer of what the peer has said and nobody has
// read yet, and writes that wait. Wipes what passed through it, as passwords do.
class Conversation
{
public:
    // At most `limit` bytes are kept unread. Every wait ends by `deadline`.
    Conversation(Stream& stream, Deadline& deadline, std::size_t limit)
        : stream_(stream), deadline_(deadline), limit_(limit)
    {
    }
    ~Conversation();
    Conversation(const Conversation&) = delete;
    Conversation& operator=(const Conversation&) = delete;

    // What the peer has sent and nobody has consumed. Valid until the next `fill` or `consume`.
    std::string_view unread() const { return {buffer_.get() + begin_, end_ - begin_}; }
    void consume(std::size_t bytes) { begin_ += bytes; }
    // Forgets what is unread: how many bytes it was.
    std::size_t discard();
    // No more fits: if `unread` holds nothing complete, the peer has sent too much.
    bool full() const { return end_ - begin_ >= limit_; }

    void set_limit(std::size_t bytes) { limit_ = bytes; }

    // The peer may send so much in all, and take until then in all; beyond that `fill` throws
    // SentTooMuch, and the deadline passes.
    void set_totals(std::size_t bytes, Clock::time_point latest)
    {
        bytes_most_ = bytes;
        latest_ = latest;
    }
    // From now on the peer has so much time, but not beyond the latest.
    void restart(Clock::duration limit)
    {
        deadline_.set(std::min(deadline_.loop().now() + limit, latest_));
    }
    bool is_at_latest() const { return deadline_.loop().now() >= latest_; }

    // co_await conversation.fill(): returns when `unread` has grown; throws Disconnected. Not to be
    // called when full.
    class Fill;
    Fill fill();

    // Has the peer gone, and is nothing left to be read that it may want an answer to? For those
    // who don't wait for it to say something.
    bool has_left();

    // co_await conversation.write(text): returns when the text is in the socket's buffer; throws
    // Disconnected. The text must live until then.
    class Write;
    Write write(std::string_view text);

    // Is a part of what was written still to be sent?
    bool is_writing() const { return writing_; }

    Stream& stream() { return stream_; }
    Deadline& deadline() { return deadline_; }

private:
    Disconnected failed(int error, const char* call) const;
    bool fill_now();
    bool write_now(std::string_view& text);
    Task<> wait_to_fill();
    Task<> wait_to_write(std::string_view text);
    void make_room();

    Stream& stream_;
    Deadline& deadline_;
    std::size_t limit_;
    std::unique_ptr<char[]> buffer_;
    std::size_t capacity_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    bool writing_ = false;
    std::size_t bytes_ = 0;
    std::size_t bytes_most_ = ~std::size_t{0};
    Clock::time_point latest_ = Clock::time_point::max();
};

// Both try first and make a coroutine only if they have to wait.
class Conversation::Fill
{
public:
    explicit Fill(Conversation& conversation) : conversation_(conversation) {}
    bool await_ready() { return conversation_.fill_now(); }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> self)
    {
        slow_ = conversation_.wait_to_fill();
        return slow_.await_suspend(self);
    }
    void await_resume()
    {
        if (slow_) {
            slow_.await_resume();
        }
    }

private:
    Conversation& conversation_;
    Task<> slow_;
};

class Conversation::Write
{
public:
    Write(Conversation& conversation, std::string_view text)
        : conversation_(conversation), text_(text)
    {
    }
    bool await_ready() { return conversation_.write_now(text_); }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> self)
    {
        slow_ = conversation_.wait_to_write(text_);
        return slow_.await_suspend(self);
    }
    void await_resume()
    {
        if (slow_) {
            slow_.await_resume();
        }
    }

private:
    Conversation& conversation_;
    std::string_view text_;
    Task<> slow_;
};

inline Conversation::Fill Conversation::fill()
{
    return Fill(*this);
}
inline Conversation::Write Conversation::write(std::string_view text)
{
    return Write(*this, text);
}

}  // namespace postern::net
