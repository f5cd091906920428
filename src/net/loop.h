#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace postern::tls {
struct Workspace;
}

namespace postern::net {

using Clock = std::chrono::steady_clock;
class Loop;

// Something with a descriptor that a loop watches.
class Watcher
{
public:
    // `events` as epoll reports them (EPOLLIN, EPOLLOUT, EPOLLRDHUP, ...).
    virtual void on_ready(std::uint32_t events) = 0;

protected:
    virtual ~Watcher() = default;
};

// One point in time that may be moved at no cost: moving it later does not touch the loop's heap,
// as a timer that fires too early is put back.
class Timer
{
public:
    explicit Timer(Loop& loop);
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    // Never fails: the place in the heap is made with the timer.
    void arm(Clock::time_point when);
    void arm(Clock::duration from_now);
    void disarm() { when_ = Clock::time_point::max(); }

protected:
    virtual ~Timer();
    virtual void on_expiry() = 0;
    // Does it expire when the loop is about to stop?
    virtual bool ends_with_loop() const { return false; }
    bool armed() const { return when_ != Clock::time_point::max(); }
    Clock::time_point when() const { return when_; }
    Loop& loop() const { return loop_; }

private:
    friend class Loop;

    Loop& loop_;
    Clock::time_point when_ = Clock::time_point::max();
    std::uint32_t heap_index_ = kNotQueued;
    static constexpr std::uint32_t kNotQueued = ~0u;
};

// An event loop over edge-triggered epoll: one thread, and everything made on it belongs to it.
// Other threads reach it by `post` alone.
class Loop
{
public:
    // Borrowed by whoever reads a socket, for as long as it doesn't wait: idle sessions own no
    // buffer.
    static constexpr std::size_t kScratchBytes = 128 * 1024;

    Loop();
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    // Runs until `stop`.
    void run();
    void stop() { stopping_ = true; }
    // The loop is about to stop: all timers that end with it expire in this turn.
    void end_idle_waits();
    bool ending() const { return ending_; }
    // Runs `work` on this loop soon; callable from any thread. Where memory is short it waits until
    // there is some again, as nobody could go on without the work done.
    void post(std::move_only_function<void()> work);

    // Watches a descriptor until `remove`. Returns 0 or an errno value.
    int add(int descriptor, Watcher& watcher, std::uint32_t events);
    int modify(int descriptor, Watcher& watcher, std::uint32_t events);
    void remove(int descriptor, const Watcher& watcher);
    // For a descriptor that is closed next, which ends the watch by itself.
    void forget(const Watcher& watcher);

    // How many connections this loop may have ("worker_connections"), and whether it has them.
    // Streams count themselves.
    void set_connection_limit(std::size_t limit) { connection_limit_ = limit; }
    std::size_t connection_limit() const { return connection_limit_; }
    bool full() const { return connections_ >= connection_limit_; }

    // The time at which this round of events began.
    Clock::time_point now() const { return now_; }
    std::span<char> scratch() { return {scratch_.get(), kScratchBytes}; }

    // co_await loop.next_turn(): lets all others have a turn first.
    struct NextTurn {
        Loop& loop;
        bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<> self) const { loop.resume_next_turn(self); }
        void await_resume() const noexcept {}
    };
    void resume_next_turn(std::coroutine_handle<> waiter) { next_.push_back(waiter); }
    NextTurn next_turn() { return NextTurn{*this}; }

    // co_await loop.patient_turn(): for what costs much at a time, as a handshake's arithmetic
    // does. Of those who wait here one a turn goes on, after all that is ready: however many they
    // are, nobody else waits for more than one of them.
    struct PatientTurn {
        Loop& loop;
        bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<> self) const { loop.patient_.push_back(self); }
        void await_resume() const noexcept {}
    };
    PatientTurn patient_turn() { return PatientTurn{*this}; }

    // What streams under TLS borrow; made when it is first needed.
    tls::Workspace& tls_workspace();

private:
    friend class Timer;
    friend class Stream;
    struct Entry {
        Clock::time_point when;
        Timer* timer;
    };
    struct Wakeup final : Watcher {
        explicit Wakeup(Loop& owner) : loop(owner) {}
        void on_ready(std::uint32_t) override { loop.run_posted(); }
        Loop& loop;
    };

    int timeout_ms() const;
    void run_expired();
    void run_next();
    void run_patient();
    void run_posted();
    void queue(Timer& timer);
    void unqueue(Timer& timer);
    void sift_up(std::size_t index);
    void sift_down(std::size_t index);
    void place(std::size_t index, Entry entry);

    int epoll_ = -1;
    int wakeup_descriptor_ = -1;
    bool stopping_ = false;
    bool ending_ = false;
    std::size_t connections_ = 0;
    std::size_t connection_limit_ = ~std::size_t{0};
    Clock::time_point now_ = Clock::now();
    std::unique_ptr<char[]> scratch_;
    std::vector<Entry> heap_;  // with room for all timers that there are
    std::size_t timers_ = 0;
    static constexpr std::size_t kTimersAtFirst = 64;
    std::vector<std::coroutine_handle<>> next_;
    std::vector<std::coroutine_handle<>> running_next_;
    std::deque<std::coroutine_handle<>> patient_;
    std::unique_ptr<tls::Workspace> tls_workspace_;
    Wakeup wakeup_{*this};
    std::mutex posted_mutex_;
    std::vector<std::move_only_function<void()>> posted_;

    // The round of events in hand; `remove` blanks what it holds of a watcher that went.
    std::array<epoll_event, 256> events_;
    int event_count_ = 0;
    int event_index_ = 0;
};

}  // namespace postern::net
