#include "net/conversation.h"

#include <algorithm>
#include <cstring>
#include <system_error>

#include "base/assert.h"
#include "base/secret.h"
#include "log/logger.h"

namespace postern::net {

namespace {

constexpr std::size_t kFirstBytes = 512;  // most commands need no more

}  // namespace

std::string Disconnected::text() const
{
    switch (reason) {
    case Reason::closed:
        return "connection closed";
    case Reason::failed:
        return std::generic_category().message(error);
    case Reason::timed_out:
        return "timed out";
    }
    return "";
}

std::string Disconnected::failure() const
{
    return tls.empty() ? std::string(call) + " failed" + log::errno_text(error) : tls;
}

Conversation::~Conversation()
{
    wipe(buffer_.get(), capacity_);
}

std::size_t Conversation::discard()
{
    const std::size_t bytes = end_ - begin_;
    wipe(buffer_.get(), capacity_);
    begin_ = end_ = 0;
    return bytes;
}

Disconnected Conversation::failed(int error, const char* call) const
{
    const tls::Connection* const connection = stream_.tls();
    return {Disconnected::Reason::failed, error, call,
            connection == nullptr ? std::string() : connection->error()};
}

// Tries once without waiting. False: there is nothing yet.
bool Conversation::fill_now()
{
    POSTERN_ASSERT(!full());
    make_room();
    // Never beyond the limit, whatever the capacity.
    const std::size_t space = std::min(capacity_ - end_, limit_ - (end_ - begin_));
    const Io io = stream_.read({buffer_.get() + end_, space});
    switch (io.status) {
    case Io::Status::done:
        end_ += io.bytes;
        bytes_ += io.bytes;
        if (bytes_ > bytes_most_) {
            throw SentTooMuch{bytes_most_};
        }
        return true;
    case Io::Status::would_block:
        return false;
    case Io::Status::closed:
        throw Disconnected{Disconnected::Reason::closed};
    case Io::Status::failed:
        throw failed(io.error, "recv()");
    }
    return false;
}

bool Conversation::has_left()
{
    try {
        while (stream_.hung_up() && !full() && fill_now()) {
        }
    } catch (const Disconnected& end) {
        return end.reason == Disconnected::Reason::failed || unread().empty();
    }
    return false;
}

Task<> Conversation::wait_to_fill()
{
    do {
        StreamEvent event(stream_, deadline_);
        if (!co_await event) {
            throw Disconnected{Disconnected::Reason::timed_out};
        }
    } while (!fill_now());
}

bool Conversation::write_now(std::string_view& text)
{
    while (!text.empty()) {
        const Io io = stream_.write(text);
        switch (io.status) {
        case Io::Status::done:
            text.remove_prefix(io.bytes);
            break;
        case Io::Status::would_block:
            return false;
        case Io::Status::closed:
            throw Disconnected{Disconnected::Reason::closed};
        case Io::Status::failed:
            throw failed(io.error, "send()");
        }
    }
    return stream_.flushed();
}

Task<> Conversation::wait_to_write(std::string_view text)
{
    writing_ = true;
    do {
        StreamEvent event(stream_, deadline_);
        if (!co_await event) {
            throw Disconnected{Disconnected::Reason::timed_out};
        }
    } while (!write_now(text));
    writing_ = false;
}

// Moves what is unread to the front, or to a larger buffer, so that at least one byte fits.
void Conversation::make_room()
{
    if (begin_ == end_) {
        begin_ = end_ = 0;
    }
    if (end_ < capacity_) {
        return;
    }
    const std::size_t size = end_ - begin_;
    if (begin_ > 0 && size <= capacity_ / 2) {
        std::memmove(buffer_.get(), buffer_.get() + begin_, size);
    } else {
        const std::size_t capacity = std::min(std::max(capacity_ * 2, kFirstBytes), limit_ * 2);
        auto larger = std::make_unique_for_overwrite<char[]>(capacity);
        if (size > 0) {
            std::memcpy(larger.get(), buffer_.get() + begin_, size);
        }
        wipe(buffer_.get(), capacity_);
        buffer_ = std::move(larger);
        capacity_ = capacity;
    }
    begin_ = 0;
    end_ = size;
}

}  // namespace postern::net
