#include "log/line_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "log/testing.h"

namespace postern::log {
namespace {

using namespace std::chrono_literals;

// Takes as much as it is told to, from the writer's thread.
class SlowTarget final : public Target
{
public:
    void write(LogLevel, std::string_view) noexcept override {}
    std::size_t write_lines(LogLevel, std::string_view lines) noexcept override
    {
        const std::lock_guard lock(mutex_);
        const std::size_t bytes = std::min(lines.size(), room_);
        room_ -= bytes;
        text_ += lines.substr(0, bytes);
        ++calls_;
        changed_.notify_all();
        return bytes;
    }
    std::string name() const override { return "slow"; }

    void make_room(std::size_t bytes)
    {
        const std::lock_guard lock(mutex_);
        room_ = bytes;
    }
    std::string text()
    {
        const std::lock_guard lock(mutex_);
        return text_;
    }
    void wait_for_calls(unsigned calls)
    {
        std::unique_lock lock(mutex_);
        ASSERT_TRUE(changed_.wait_for(lock, 10s, [&] { return calls_ >= calls; }));
    }
    void wait_for_bytes(std::size_t bytes)
    {
        std::unique_lock lock(mutex_);
        ASSERT_TRUE(changed_.wait_for(lock, 10s, [&] { return text_.size() >= bytes; }));
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::string text_;
    std::size_t room_ = ~std::size_t{0};
    unsigned calls_ = 0;
};

class LineWriterTest : public LoggerTest
{
protected:
    std::shared_ptr<SlowTarget> target_ = std::make_shared<SlowTarget>();
    LineWriter writer_{logger(file_target("error.log"))};
};

TEST_F(LineWriterTest, LinesOfManyThreadsAreAllThereAndWhole)
{
    constexpr int kThreads = 4;
    constexpr int kLines = 2000;
    {
        LineWriter writer(logger(file_target("error.log")));
        auto& queue = writer.queue(open(file_target("access.log")), LogLevel::info, 0, {});
        std::vector<std::thread> threads;
        for (int thread = 0; thread < kThreads; ++thread) {
            threads.emplace_back([&queue, thread] {
                for (int i = 0; i < kLines; ++i) {
                    queue.add(std::to_string(thread) + ":" + std::to_string(i) + "\n");
                }
            });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
    }
    std::vector<int> next(kThreads, 0);
    for (const std::string& line : lines("access.log")) {
        const auto thread = static_cast<std::size_t>(line.at(0) - '0');
        EXPECT_EQ(line.substr(2), std::to_string(next.at(thread)++));
    }
    EXPECT_EQ(next, std::vector<int>(kThreads, kLines));
}

TEST_F(LineWriterTest, WithoutABufferALineIsThereSoon)
{
    writer_.queue(target_, LogLevel::info, 0, {}).add("one\n");
    target_->wait_for_bytes(4);
}

TEST_F(LineWriterTest, ABufferWaitsUntilItIsFull)
{
    auto& queue = writer_.queue(target_, LogLevel::info, 10, {});
    queue.add("four\n");
    queue.add("five\n");
    target_->wait_for_bytes(10);
    EXPECT_EQ(target_->text(), "four\nfive\n");
    queue.add("six\n");
    writer_.flush();
    target_->wait_for_bytes(14);
}

TEST_F(LineWriterTest, ABufferWaitsForNoLongerThanItsTime)
{
    writer_.queue(target_, LogLevel::info, 1 << 16, 10ms).add("one\n");
    target_->wait_for_bytes(4);
}

TEST_F(LineWriterTest, TheEndWritesWhatThereIs)
{
    {
        LineWriter writer(logger(file_target("error.log")));
        writer.queue(target_, LogLevel::info, 1 << 16, {}).add("one\n");
    }
    EXPECT_EQ(target_->text(), "one\n");
}

TEST_F(LineWriterTest, NoLineIsTornByADiskThatIsFull)
{
    target_->make_room(5);
    auto& queue = writer_.queue(target_, LogLevel::info, 0, {});
    queue.add("first\n");
    target_->wait_for_calls(2);
    queue.add("second\n");
    target_->make_room(1000);
    target_->wait_for_bytes(13);
    EXPECT_EQ(target_->text(), "first\nsecond\n");
}

TEST_F(LineWriterTest, WhatIsTooMuchIsLostInWholeLinesAndTold)
{
    target_->make_room(0);
    auto& queue = writer_.queue(target_, LogLevel::info, 0, {});
    const std::string line = std::string(1023, 'x') + '\n';
    queue.add(line);
    target_->wait_for_calls(1);  // it has taken that one, and can't get rid of it
    for (std::size_t i = 0; i < LineWriter::kWaitingMax / line.size() + 3; ++i) {
        queue.add(line);
    }
    target_->make_room(~std::size_t{0});
    target_->wait_for_bytes(LineWriter::kWaitingMax + line.size());
    while (read("error.log").empty()) {
        std::this_thread::yield();
    }
    EXPECT_NE(read("error.log").find("[alert]"), std::string::npos);
    EXPECT_NE(read("error.log").find("3 lines of slow were lost: it took no more"),
              std::string::npos);
}

TEST_F(LineWriterTest, OnePlaceHasOneQueue)
{
    EXPECT_EQ(&writer_.queue(target_, LogLevel::info, 0, {}),
              &writer_.queue(target_, LogLevel::info, 0, {}));
    EXPECT_NE(&writer_.queue(target_, LogLevel::info, 0, {}),
              &writer_.queue(target_, LogLevel::notice, 0, {}));
}

}  // namespace
}  // namespace postern::log
