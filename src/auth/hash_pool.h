#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "net/pending.h"
#include "net/task.h"

namespace postern::auth {

// Threads for what would block an event loop: password hashes, which take 50 ms and more, and
// reading files. One pool a process, used by all loops. It must go before them, and after it has
// gone nobody waits for work that had not begun: such a coroutine is never resumed.
class HashPool
{
public:
    // Two are 40 logins a second at 50 ms each, and leave the other cores to the event loops.
    static constexpr unsigned kThreads = 2;
    // At that rate the last in the queue waits 25 s: more would give up before it is their turn.
    static constexpr std::size_t kMaxQueued = 1024;

    using Work = std::move_only_function<void()>;

    explicit HashPool(unsigned threads = kThreads, std::size_t max_queued = kMaxQueued);
    ~HashPool();  // waits for work that has begun
    HashPool(const HashPool&) = delete;
    HashPool& operator=(const HashPool&) = delete;

    // Runs `work` on one of the threads; it must not throw. False: too much is waiting already, and
    // it has not been taken. From any thread.
    bool submit(Work work);

private:
    void run();

    const std::size_t max_queued_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Work> queue_;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

// Runs `work` on the pool and returns its result here, on `loop`; nothing if the pool is full. The
// waiting coroutine may be destroyed meanwhile: `work` must own all that it uses.
template <typename Result>
net::Task<std::optional<Result>> run_on(HashPool& pool, net::Loop& loop,
                                        std::move_only_function<Result()> work)
{
    const auto result = std::make_shared<net::Pending<Result>>();
    HashPool::Work job = [&loop, result, work = std::move(work)]() mutable {
        auto value = std::make_shared<Result>(work());
        work = nullptr;  // with the password in it
        loop.post([result = std::move(result), value] { result->deliver(std::move(*value)); });
    };
    if (!pool.submit(std::move(job))) {
        co_return std::nullopt;
    }
    net::Deadline never(loop);
    typename net::Pending<Result>::Event event(*result, never);
    co_await event;
    co_return std::move(result->value());
}

}  // namespace postern::auth
