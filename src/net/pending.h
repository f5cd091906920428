#pragma once

#include <coroutine>
#include <memory>
#include <optional>
#include <utility>

#include "net/deadline.h"

namespace postern::net {

// A value that a callback on this loop will deliver, shared between the callback and the coroutine
// that waits for it; whichever gives up first leaves the other unharmed.
template <typename T>
class Pending
{
public:
    void deliver(T value)
    {
        value_ = std::move(value);
        if (const auto waiter = std::exchange(waiter_, {})) {
            waiter.resume();
        }
    }

    // co_await until the value is there (true) or the deadline has passed (false).
    class Event
    {
    public:
        Event(Pending& pending, Deadline& deadline) : pending_(pending), deadline_(deadline) {}
        // Also when the coroutine is destroyed while it waits.
        ~Event() { pending_.waiter_ = {}; }
        Event(const Event&) = delete;
        Event& operator=(const Event&) = delete;
        bool await_ready() const { return pending_.value_.has_value() || deadline_.expired(); }
        void await_suspend(std::coroutine_handle<> self)
        {
            pending_.waiter_ = self;
            deadline_.wake(self);
        }
        bool await_resume()
        {
            pending_.waiter_ = {};
            deadline_.wake({});
            return pending_.value_.has_value();
        }

    private:
        Pending& pending_;
        Deadline& deadline_;
    };

    T& value() { return *value_; }

private:
    std::optional<T> value_;
    std::coroutine_handle<> waiter_;
};

}  // namespace postern::net
