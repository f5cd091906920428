#include "net/loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <system_error>
#include <thread>

#include "base/assert.h"

#include "tls/workspace.h"

namespace postern::net {

Timer::Timer(Loop& loop) : loop_(loop)
{
    if (loop.timers_ >= loop.heap_.capacity()) {
        loop.heap_.reserve(std::max(2 * loop.heap_.capacity(), Loop::kTimersAtFirst));
    }
    ++loop.timers_;
}

void Timer::arm(Clock::time_point when)
{
    when_ = when;
    if (heap_index_ == kNotQueued || when < loop_.heap_[heap_index_].when) {
        loop_.queue(*this);
    }
}

void Timer::arm(Clock::duration from_now)
{
    arm(loop_.now() + from_now);
}

Timer::~Timer()
{
    if (heap_index_ != kNotQueued) {
        loop_.unqueue(*this);
    }
    --loop_.timers_;
}

Loop::Loop() : scratch_(std::make_unique_for_overwrite<char[]>(kScratchBytes))
{
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    wakeup_descriptor_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (epoll_ < 0 || wakeup_descriptor_ < 0) {
        throw std::system_error(errno, std::generic_category(), "epoll_create1() or eventfd()");
    }
    add(wakeup_descriptor_, wakeup_, EPOLLIN | EPOLLET);
}

Loop::~Loop()
{
    close(wakeup_descriptor_);
    close(epoll_);
}

void Loop::run()
{
    while (!stopping_) {
        event_count_ =
            epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), timeout_ms());
        now_ = Clock::now();
        for (event_index_ = 0; event_index_ < event_count_; ++event_index_) {
            const epoll_event& event = events_[static_cast<std::size_t>(event_index_)];
            if (auto* const watcher = static_cast<Watcher*>(event.data.ptr)) {
                watcher->on_ready(event.events);
            }
        }
        event_count_ = 0;
        run_expired();
        run_next();
        run_patient();
    }
    stopping_ = false;  // it may be run again
}

void Loop::end_idle_waits()
{
    ending_ = true;
    std::vector<Timer*> timers;
    for (const Entry& entry : heap_) {
        if (entry.timer->armed() && entry.timer->ends_with_loop()) {
            timers.push_back(entry.timer);
        }
    }
    for (Timer* const timer : timers) {
        timer->arm(now_);
    }
}

void Loop::post(std::move_only_function<void()> work)
{
    constexpr std::chrono::milliseconds kPause{1};
    for (bool done = false; !done;) {
        try {
            const std::lock_guard lock(posted_mutex_);
            posted_.push_back(std::move(work));
            done = true;
        } catch (const std::bad_alloc&) {  // `work` is still there
            std::this_thread::sleep_for(kPause);
        }
    }
    const std::uint64_t one = 1;
    // Fails only when the counter is full, and then the loop is about to wake up anyway.
    [[maybe_unused]] const auto written = write(wakeup_descriptor_, &one, sizeof one);
}

void Loop::run_posted()
{
    std::uint64_t count;
    while (read(wakeup_descriptor_, &count, sizeof count) > 0) {
    }
    std::vector<std::move_only_function<void()>> work;
    {
        const std::lock_guard lock(posted_mutex_);
        work.swap(posted_);
    }
    for (auto& item : work) {
        item();
    }
}

int Loop::add(int descriptor, Watcher& watcher, std::uint32_t events)
{
    epoll_event event{.events = events, .data = {.ptr = &watcher}};
    return epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) == 0 ? 0 : errno;
}

int Loop::modify(int descriptor, Watcher& watcher, std::uint32_t events)
{
    epoll_event event{.events = events, .data = {.ptr = &watcher}};
    return epoll_ctl(epoll_, EPOLL_CTL_MOD, descriptor, &event) == 0 ? 0 : errno;
}

void Loop::remove(int descriptor, const Watcher& watcher)
{
    epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
    forget(watcher);
}

void Loop::forget(const Watcher& watcher)
{
    for (int i = event_index_ + 1; i < event_count_; ++i) {
        epoll_event& event = events_[static_cast<std::size_t>(i)];
        if (event.data.ptr == &watcher) {
            event.data.ptr = nullptr;
        }
    }
}

int Loop::timeout_ms() const
{
    if (!next_.empty() || !patient_.empty()) {
        return 0;
    }
    if (heap_.empty()) {
        return -1;
    }
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(heap_.front().when - Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

void Loop::run_expired()
{
    while (!heap_.empty() && heap_.front().when <= now_) {
        Timer& timer = *heap_.front().timer;
        unqueue(timer);
        if (timer.when_ <= now_) {
            timer.when_ = Clock::time_point::max();
            timer.on_expiry();
        } else if (timer.when_ != Clock::time_point::max()) {
            queue(timer);  // it was moved while it waited
        }
    }
}

void Loop::run_next()
{
    running_next_.swap(next_);
    for (const auto handle : running_next_) {
        handle.resume();
    }
    running_next_.clear();
}

void Loop::run_patient()
{
    if (!patient_.empty()) {
        const auto handle = patient_.front();
        patient_.pop_front();
        handle.resume();
    }
}

tls::Workspace& Loop::tls_workspace()
{
    if (!tls_workspace_) {
        tls_workspace_ = std::make_unique<tls::Workspace>();
    }
    return *tls_workspace_;
}

void Loop::queue(Timer& timer)
{
    const Entry entry{timer.when_, &timer};
    if (timer.heap_index_ == Timer::kNotQueued) {
        timer.heap_index_ = static_cast<std::uint32_t>(heap_.size());
        heap_.push_back(entry);
    } else {
        heap_[timer.heap_index_] = entry;
    }
    sift_up(timer.heap_index_);
}

void Loop::unqueue(Timer& timer)
{
    const std::size_t hole = timer.heap_index_;
    timer.heap_index_ = Timer::kNotQueued;
    const Entry last = heap_.back();
    heap_.pop_back();
    if (hole < heap_.size()) {
        place(hole, last);
        sift_up(hole);
        sift_down(last.timer->heap_index_);
    }
}

void Loop::sift_up(std::size_t index)
{
    const Entry entry = heap_[index];
    while (index > 0) {
        const std::size_t parent = (index - 1) / 2;
        if (heap_[parent].when <= entry.when) {
            break;
        }
        place(index, heap_[parent]);
        index = parent;
    }
    place(index, entry);
}

void Loop::sift_down(std::size_t index)
{
    const Entry entry = heap_[index];
    for (;;) {
        std::size_t child = 2 * index + 1;
        if (child >= heap_.size()) {
            break;
        }
        if (child + 1 < heap_.size() && heap_[child + 1].when < heap_[child].when) {
            ++child;
        }
        if (entry.when <= heap_[child].when) {
            break;
        }
        place(index, heap_[child]);
        index = child;
    }
    place(index, entry);
}

void Loop::place(std::size_t index, Entry entry)
{
    heap_[index] = entry;
    entry.timer->heap_index_ = static_cast<std::uint32_t>(index);
}

}  // namespace postern::net
