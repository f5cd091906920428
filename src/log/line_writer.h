// Lines that many threads write and none of them waits for: a thread of its own takes them to where
// they go.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "log/logger.h"

namespace postern::log {

class LineWriter
{
public:
    // What is not written yet, at most, for each place: a disk that is full or slow costs lines,
    // and an alert says how many.
    static constexpr std::size_t kWaitingMax = 1 << 20;
    // Without a buffer: lines that come together are written together.
    static constexpr std::chrono::milliseconds kSoon{20};

    // The lines for one place.
    class Queue
    {
    public:
        Queue(LineWriter& writer, std::shared_ptr<Target> target, LogLevel severity,
              std::size_t buffer_bytes, std::optional<std::chrono::milliseconds> flush);

        // A whole line, with its line feed. From any thread; waits for nobody.
        void add(std::string_view line) noexcept;

    private:
        friend LineWriter;

        LineWriter& writer_;
        const std::shared_ptr<Target> target_;
        const LogLevel severity_;
        const std::size_t buffer_bytes_;  // 0: there is no buffer
        const std::optional<std::chrono::milliseconds> flush_;
        // All below belong to the writer's mutex, but for `taken_` while it is being written.
        std::string waiting_;
        std::string taken_;
        std::chrono::steady_clock::time_point due_;
        std::size_t lost_ = 0;
    };

    explicit LineWriter(Logger logger) : logger_(std::move(logger)) {}
    // Writes what there is.
    ~LineWriter();
    LineWriter(const LineWriter&) = delete;
    LineWriter& operator=(const LineWriter&) = delete;

    // One queue a place, however many name it. `buffer_bytes` are collected before something is
    // written, but for no longer than `flush` (nothing: however long that takes). Before there are
    // other threads.
    Queue& queue(std::shared_ptr<Target> target, LogLevel severity, std::size_t buffer_bytes,
                 std::optional<std::chrono::milliseconds> flush);
    // Writes soon what is in the buffers.
    void flush();

private:
    using Clock = std::chrono::steady_clock;

    void run();
    void write(Queue& queue, std::unique_lock<std::mutex>& lock);

    Logger logger_;
    std::vector<std::unique_ptr<Queue>> queues_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool ending_ = false;
    std::thread thread_;  // last: it uses the others
};

}  // namespace postern::log
