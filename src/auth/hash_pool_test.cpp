#include "auth/hash_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <string>

namespace postern::auth {
namespace {

using namespace std::chrono_literals;

TEST(HashPool, RunsWorkOnItsThreadsAndReturnsTheResultToTheLoop)
{
    net::Loop loop;
    HashPool pool(2);
    PoolClient client(pool, loop);
    const auto here = std::this_thread::get_id();
    std::vector<std::string> results;
    const auto ask = [](PoolClient& hashes, net::Loop& on, std::vector<std::string>& into,
                        std::thread::id loop_thread) -> net::Task<> {
        std::move_only_function<std::string()> work = [loop_thread] {
            return std::string(std::this_thread::get_id() != loop_thread ? "elsewhere" : "here");
        };
        auto result = co_await hashes.run(std::move(work));
        EXPECT_EQ(std::this_thread::get_id(), loop_thread);
        into.push_back(result.value_or("full"));
        if (into.size() == 100) {
            on.stop();
        }
    };
    for (int i = 0; i < 100; ++i) {
        net::spawn(ask(client, loop, results, here));
    }
    loop.run();
    EXPECT_EQ(results, std::vector<std::string>(100, "elsewhere"));
}

TEST(HashPool, TakesNoMoreThanItsQueueHolds)
{
    std::promise<void> started;
    std::promise<void> go_on;
    std::atomic<int> done = 0;
    std::promise<void> all_done;
    HashPool pool(1, 2);
    ASSERT_TRUE(pool.submit([&] {
        started.set_value();
        go_on.get_future().wait();
    }));
    started.get_future().wait();
    const auto count = [&] {
        if (++done == 2) {
            all_done.set_value();
        }
    };
    EXPECT_TRUE(pool.submit(count));
    EXPECT_TRUE(pool.submit(count));
    EXPECT_FALSE(pool.submit(count));
    go_on.set_value();
    all_done.get_future().wait();
    EXPECT_EQ(done, 2);
}

TEST(HashPool, SaysThatItIsFullWithoutWaiting)
{
    net::Loop loop;
    HashPool pool(1, 0);
    PoolClient client(pool, loop);
    bool full = false;
    const auto ask = [](PoolClient& hashes, bool& was_full) -> net::Task<> {
        std::move_only_function<int()> work = [] { return 1; };
        const auto result = co_await hashes.run(std::move(work));
        was_full = !result;
    };
    net::spawn(ask(client, full));
    EXPECT_TRUE(full);
}

TEST(HashPool, EndsAfterTheWorkThatHasBegunAndDropsTheRest)
{
    std::atomic<bool> finished = false;
    std::atomic<bool> begun_too_late = false;
    std::promise<void> started;
    const auto owned = std::make_shared<int>();
    {
        HashPool pool(1);
        pool.submit([&] {
            started.set_value();
            std::this_thread::sleep_for(50ms);
            finished = true;
        });
        started.get_future().wait();
        pool.submit([&, owned] { begun_too_late = true; });
    }
    EXPECT_TRUE(finished);
    EXPECT_FALSE(begun_too_late);
    EXPECT_EQ(owned.use_count(), 1);
}

TEST(HashPool, ForgetsWhoNoLongerWaits)  // the session was destroyed
{
    net::Loop loop;
    HashPool pool(1);
    PoolClient client(pool, loop);
    std::promise<void> go_on;
    bool resumed = false;
    const auto ask = [](PoolClient& hashes, std::promise<void>& gate,
                        bool& was_resumed) -> net::Task<> {
        std::move_only_function<int()> work = [&gate] {
            gate.get_future().wait();
            return 1;
        };
        co_await hashes.run(std::move(work));
        was_resumed = true;
    };
    {
        net::Task<> waiting = ask(client, go_on, resumed);
        waiting.await_suspend(std::noop_coroutine()).resume();
    }
    go_on.set_value();
    pool.submit([&loop] { loop.post([&loop] { loop.stop(); }); });
    loop.run();
    EXPECT_FALSE(resumed);
}

TEST(HashPool, OutlivesItsClientsAndTheirLoops)
{
    HashPool pool(1);
    std::promise<void> go_on;
    std::promise<void> over;
    {
        net::Loop loop;
        PoolClient client(pool, loop);
        std::move_only_function<int()> work = [&go_on] {
            go_on.get_future().wait();
            return 1;
        };
        net::Task<std::optional<int>> waiting = client.run(std::move(work));
        waiting.await_suspend(std::noop_coroutine()).resume();
    }
    go_on.set_value();
    pool.submit([&over] { over.set_value(); });
    over.get_future().wait();
}

}  // namespace
}  // namespace postern::auth
