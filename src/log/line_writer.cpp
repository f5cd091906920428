#include "log/line_writer.h"

#include <algorithm>
#include <utility>

#include "log/target.h"

namespace postern::log {

namespace {

// Before a place that took nothing is tried again.
constexpr std::chrono::milliseconds kPause{200};

constexpr auto kNever = std::chrono::steady_clock::time_point::max();

}  // namespace

LineWriter::Queue::Queue(LineWriter& writer, std::shared_ptr<Target> target, LogLevel severity,
                         std::size_t buffer_bytes, std::optional<std::chrono::milliseconds> flush)
    : writer_(writer),
      target_(std::move(target)),
      severity_(severity),
      buffer_bytes_(buffer_bytes),
      flush_(flush)
{
}

void LineWriter::Queue::add(std::string_view line) noexcept
{
    bool changes_plan = false;
    {
        const std::lock_guard lock(writer_.mutex_);
        const std::size_t before = waiting_.size();
        try {
            if (before + line.size() > std::max(kWaitingMax, 2 * buffer_bytes_)) {
                ++lost_;
                return;
            }
            waiting_ += line;
        } catch (const std::bad_alloc&) {
            ++lost_;
            return;
        }
        const auto now = Clock::now();
        if (before == 0) {
            due_ = buffer_bytes_ == 0 ? now + kSoon : flush_ ? now + *flush_ : kNever;
            changes_plan = due_ != kNever;
        }
        if (buffer_bytes_ > 0 && before < buffer_bytes_ && waiting_.size() >= buffer_bytes_) {
            due_ = now;
            changes_plan = true;
        }
    }
    if (changes_plan) {
        writer_.changed_.notify_one();
    }
}

LineWriter::~LineWriter()
{
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    changed_.notify_one();
    if (thread_.joinable()) {
        thread_.join();
    }
}

LineWriter::Queue& LineWriter::queue(std::shared_ptr<Target> target, LogLevel severity,
                                     std::size_t buffer_bytes,
                                     std::optional<std::chrono::milliseconds> flush)
{
    const std::lock_guard lock(mutex_);
    for (const auto& known : queues_) {
        if (known->target_ == target && known->severity_ == severity) {
            return *known;
        }
    }
    queues_.push_back(
        std::make_unique<Queue>(*this, std::move(target), severity, buffer_bytes, flush));
    if (!thread_.joinable()) {
        thread_ = std::thread([this] { run(); });
    }
    return *queues_.back();
}

void LineWriter::flush()
{
    {
        const std::lock_guard lock(mutex_);
        for (const auto& queue : queues_) {
            queue->due_ = Clock::now();
        }
    }
    changed_.notify_one();
}

void LineWriter::run()
{
    std::unique_lock lock(mutex_);
    for (;;) {
        const bool is_last = ending_;
        const auto now = Clock::now();
        auto next = kNever;
        for (std::size_t i = 0; i < queues_.size(); ++i) {
            Queue& queue = *queues_[i];
            const auto has_lines = [&] { return !queue.waiting_.empty() || !queue.taken_.empty(); };
            if (has_lines() && (is_last || queue.due_ <= now)) {
                write(queue, lock);
            }
            if (has_lines()) {
                next = std::min(next, queue.due_);
            }
        }
        if (is_last) {
            return;
        }
        if (ending_) {  // meanwhile
            continue;
        }
        if (next == kNever) {
            changed_.wait(lock);
        } else {
            changed_.wait_until(lock, next);
        }
    }
}

// What a place takes only a part of goes on with the rest: no line is torn.
void LineWriter::write(Queue& queue, std::unique_lock<std::mutex>& lock)
{
    for (;;) {
        if (queue.taken_.empty()) {
            std::swap(queue.taken_, queue.waiting_);
        }
        if (queue.taken_.empty()) {
            break;
        }
        lock.unlock();
        const std::size_t bytes = queue.target_->write_lines(queue.severity_, queue.taken_);
        queue.taken_.erase(0, bytes);
        lock.lock();
        if (bytes == 0) {
            queue.due_ = Clock::now() + kPause;
            return;
        }
        if (queue.taken_.empty() && queue.buffer_bytes_ > 0 && !ending_) {
            break;  // what has come meanwhile waits until it is its turn
        }
    }
    queue.due_ = queue.buffer_bytes_ == 0 ? Clock::now() + kSoon
                 : queue.flush_           ? Clock::now() + *queue.flush_
                                          : kNever;
    if (const std::size_t lost = std::exchange(queue.lost_, 0); lost > 0) {
        lock.unlock();
        logger_.line(LogLevel::alert, "{} lines of {} were lost: it took no more", lost,
                     queue.target_->name());
        lock.lock();
    }
}

}  // namespace postern::log
