#pragma once

#include <fmt/format.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "net/pending.h"
#include "net/task.h"

namespace postern::auth {

// Threads for what would block an event loop: password hashes, which take 50 ms and more, and
// reading files. One pool a process, used by all loops.
class HashPool
{
public:
    // Two are 40 logins a second at 50 ms each, and leave the other cores to the event loops.
    static constexpr unsigned kThreads = 2;
    // At that rate the last in the queue waits 25 s: more would give up before it is their turn.
    static constexpr std::size_t kMaxQueued = 1024;
    // In the queue and at work; for the slowest hashes, whoever asked gives up before the queue
    // ends.
    static constexpr std::chrono::seconds kLongestWait{60};

    using Work = std::move_only_function<void()>;

    explicit HashPool(unsigned threads = kThreads, std::size_t max_queued = kMaxQueued);
    ~HashPool();  // waits for work that has begun, and drops the rest
    HashPool(const HashPool&) = delete;
    HashPool& operator=(const HashPool&) = delete;

    // Runs `work` on one of the threads; it must not throw. False: too much is waiting already, or
    // no thread can be started, and it has not been taken. From any thread.
    bool submit(Work work);

private:
    void start_threads();
    void run();

    const unsigned thread_count_;
    const std::size_t max_queued_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Work> queue_;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

// A loop's way to the pool. It belongs to the loop and goes before it: what the pool finishes later
// is dropped, and whoever waits for it is not resumed.
class PoolClient
{
public:
    PoolClient(HashPool& pool, net::Loop& loop) : pool_(pool), home_(std::make_shared<Home>(&loop))
    {
    }
    ~PoolClient();
    PoolClient(const PoolClient&) = delete;
    PoolClient& operator=(const PoolClient&) = delete;

    // Runs `work` on the pool and returns its result here, on the loop; nothing if the pool is full
    // or no thread had time for it. The waiting coroutine may be destroyed meanwhile: `work` must
    // own all that it uses.
    template <typename Result>
    net::Task<std::optional<Result>> run(std::move_only_function<Result()> work);

private:
    // Where results go, as long as that exists.
    struct Home {
        explicit Home(net::Loop* owner) : loop(owner) {}
        void post(HashPool::Work work);

        std::mutex mutex;
        net::Loop* loop;
    };

    HashPool& pool_;
    std::shared_ptr<Home> home_;
};

template <typename Result>
net::Task<std::optional<Result>> PoolClient::run(std::move_only_function<Result()> work)
{
    const auto result = std::make_shared<net::Pending<Result>>();
    HashPool::Work job = [home = home_, waiting = std::weak_ptr(result),
                          work = std::move(work)]() mutable {
        if (waiting.expired()) {
            return;  // whoever asked has gone
        }
        auto value = std::make_shared<Result>(work());
        work = nullptr;  // with the password in it
        home->post([waiting, value] {
            if (const auto pending = waiting.lock()) {
                pending->deliver(std::move(*value));
            }
        });
    };
    if (!pool_.submit(std::move(job))) {
        co_return std::nullopt;
    }
    net::Deadline deadline(*home_->loop);
    deadline.set(HashPool::kLongestWait);
    typename net::Pending<Result>::Event event(*result, deadline);
    const bool in_time = co_await event;
    if (!in_time) {
        co_return std::nullopt;
    }
    co_return std::move(result->value());
}

}  // namespace postern::auth
