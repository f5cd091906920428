#pragma once

#include <algorithm>
#include <coroutine>
#include <utility>

#include "net/loop.h"

namespace postern::net {

// The limit of a wait, and the session's one timer: what waits for a stream waits for this too.
// Once it has passed, every wait ends at once until it is set anew.
class Deadline final : public Timer
{
public:
    using Timer::Timer;

    void set(Clock::duration from_now)
    {
        expired_ = false;
        arm(from_now);
    }
    void set(Clock::time_point when)
    {
        expired_ = false;
        arm(when);
    }
    void clear()
    {
        expired_ = false;
        disarm();
    }
    // So that Loop::end_idle_waits makes it pass.
    void end_with_loop() { ends_with_loop_ = true; }
    bool expired() const { return expired_; }
    // How long it is until it passes, at least 0; endless if it was not set.
    Clock::duration left() const
    {
        return expired_  ? Clock::duration::zero()
               : armed() ? std::max(when() - loop().now(), Clock::duration::zero())
                         : Clock::duration::max();
    }
    bool idle() const { return !armed() && !expired_; }  // neither set nor passed
    Loop& loop() const { return Timer::loop(); }
    // Resumes `waiter` when it passes; {} forgets the one before.
    void wake(std::coroutine_handle<> waiter) { waiter_ = waiter; }

    // co_await deadline: sleeps until it has passed.
    bool await_ready() const noexcept { return expired_; }
    void await_suspend(std::coroutine_handle<> self) noexcept { waiter_ = self; }
    void await_resume() const noexcept {}

private:
    bool ends_with_loop() const override { return ends_with_loop_; }
    void on_expiry() override
    {
        expired_ = true;
        if (const auto waiter = std::exchange(waiter_, {})) {
            waiter.resume();
        }
    }

    bool expired_ = false;  // first: they fit behind the timer's last member
    bool ends_with_loop_ = false;
    std::coroutine_handle<> waiter_;
};

}  // namespace postern::net
