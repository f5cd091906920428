#include "net/loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <random>
#include <thread>

#include "net/testing.h"

namespace postern::net {
namespace {

using namespace std::chrono_literals;

class Recorder final : public Timer
{
public:
    Recorder(Loop& loop, std::vector<int>& fired, int name)
        : Timer(loop), fired_(fired), name_(name)
    {
    }

private:
    void on_expiry() override { fired_.push_back(name_); }
    std::vector<int>& fired_;
    int name_;
};

// Ends the loop.
class Last final : public Timer
{
public:
    explicit Last(Loop& loop) : Timer(loop) {}

private:
    void on_expiry() override { loop().stop(); }
};

class LoopTest : public testing::Test
{
protected:
    void run_for(Clock::duration time)
    {
        Last last(loop_);
        last.arm(time);
        loop_.run();
    }

    Loop loop_;
    std::vector<int> fired_;
};

TEST_F(LoopTest, TimersFireInOrder)
{
    Recorder a(loop_, fired_, 1);
    Recorder b(loop_, fired_, 2);
    Recorder c(loop_, fired_, 3);
    b.arm(10ms);
    c.arm(20ms);
    a.arm(0ms);
    run_for(30ms);
    EXPECT_EQ(fired_, (std::vector{1, 2, 3}));
}

TEST_F(LoopTest, ATimerMovedLaterFiresOnceAndLater)
{
    Recorder moved(loop_, fired_, 1);
    Recorder mark(loop_, fired_, 2);
    moved.arm(5ms);
    moved.arm(30ms);
    mark.arm(15ms);
    run_for(40ms);
    EXPECT_EQ(fired_, (std::vector{2, 1}));
}

TEST_F(LoopTest, ATimerMovedEarlierFiresEarlier)
{
    Recorder moved(loop_, fired_, 1);
    Recorder mark(loop_, fired_, 2);
    moved.arm(1h);
    mark.arm(15ms);
    moved.arm(5ms);
    run_for(25ms);
    EXPECT_EQ(fired_, (std::vector{1, 2}));
}

TEST_F(LoopTest, ADisarmedOrDestroyedTimerIsSilent)
{
    Recorder disarmed(loop_, fired_, 1);
    disarmed.arm(5ms);
    disarmed.disarm();
    {
        Recorder destroyed(loop_, fired_, 2);
        destroyed.arm(5ms);
    }
    Recorder rearmed(loop_, fired_, 3);
    rearmed.arm(5ms);
    rearmed.disarm();
    rearmed.arm(6ms);
    run_for(20ms);
    EXPECT_EQ(fired_, (std::vector{3}));
}

TEST_F(LoopTest, ThousandsOfTimersInAnyOrder)
{
    std::mt19937 random(4711);
    std::vector<std::unique_ptr<Recorder>> timers;
    for (int i = 0; i < 5000; ++i) {
        timers.push_back(std::make_unique<Recorder>(loop_, fired_, i / 500));
    }
    std::vector<int> order(timers.size());
    for (int i = 0; i < 5000; ++i) {
        order[static_cast<std::size_t>(i)] = i;
    }
    std::ranges::shuffle(order, random);
    const auto start = loop_.now();
    for (const int i : order) {
        timers[static_cast<std::size_t>(i)]->arm(start + (i / 500) * 1ms);
    }
    for (std::size_t i = 0; i < timers.size(); i += 3) {
        timers[i].reset();
    }
    run_for(20ms);
    EXPECT_EQ(fired_.size(), 5000u - (5000 + 2) / 3);
    EXPECT_TRUE(std::ranges::is_sorted(fired_));
}

TEST_F(LoopTest, OtherThreadsPost)
{
    int calls = 0;
    std::thread other([&] {
        for (int i = 0; i < 1000; ++i) {
            loop_.post([&] { ++calls; });
        }
        loop_.post([&] { loop_.stop(); });
    });
    loop_.run();
    other.join();
    EXPECT_EQ(calls, 1000);
}

// Both have an event in the same round; whichever is first removes the other.
class Rival final : public Watcher
{
public:
    Rival(Loop& loop, int& calls)
        : loop_(loop), calls_(calls), descriptor_(eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC))
    {
        loop.add(descriptor_, *this, EPOLLIN | EPOLLET);
    }
    ~Rival() override { close(descriptor_); }
    Rival* other = nullptr;
    void leave() { loop_.remove(descriptor_, *this); }

private:
    void on_ready(std::uint32_t) override
    {
        ++calls_;
        other->leave();
        loop_.post([this] { loop_.stop(); });
    }
    Loop& loop_;
    int& calls_;
    int descriptor_;
};

TEST_F(LoopTest, AWatcherThatWasRemovedHearsNothingMoreOfTheSameRound)
{
    int calls = 0;
    Rival a(loop_, calls);
    Rival b(loop_, calls);
    a.other = &b;
    b.other = &a;
    loop_.run();
    EXPECT_EQ(calls, 1);
}

TEST_F(LoopTest, NextTurnLetsOthersGoFirst)
{
    std::string order;
    const auto task = [](Loop& loop, std::string& text, char name) -> Task<> {
        for (int i = 0; i < 3; ++i) {
            text += name;
            co_await loop.next_turn();
        }
        loop.stop();
    };
    spawn(task(loop_, order, 'a'));
    spawn(task(loop_, order, 'b'));
    loop_.run();
    EXPECT_EQ(order, "ababab");
}

// However many wait there, one a turn goes on.
TEST_F(LoopTest, PatientOnesGoOneByOneAndOthersHaveTheirTurnBetween)
{
    std::string order;
    const auto patient = [](Loop& loop, std::string& text, char name) -> Task<> {
        co_await loop.patient_turn();
        text += name;
    };
    const auto other = [](Loop& loop, std::string& text) -> Task<> {
        for (int i = 0; i < 4; ++i) {
            text += '.';
            co_await loop.next_turn();
        }
        loop.stop();
    };
    spawn(patient(loop_, order, 'a'));
    spawn(patient(loop_, order, 'b'));
    spawn(patient(loop_, order, 'c'));
    spawn(other(loop_, order));
    loop_.run();
    EXPECT_EQ(order, "..a.b.c");
}

Task<int> give(int value)
{
    co_return value;
}

Task<int> fail()
{
    throw std::runtime_error("down there");
    co_return 0;
}

Task<int> through()
{
    co_return co_await fail();
}

TEST_F(LoopTest, AMillionTasksThatEndAtOnceDoNotUseUpTheStack)
{
    long sum = 0;
    const auto count = [](long& total) -> Task<> {
        for (int i = 0; i < 1'000'000; ++i) {
            total += co_await give(1);
        }
    };
    run_to_the_end(loop_, count(sum));
    EXPECT_EQ(sum, 1'000'000);
}

TEST_F(LoopTest, AnExceptionPassesThroughTasks)
{
    std::string caught;
    const auto catching = [](std::string& text) -> Task<> {
        try {
            co_await through();
        } catch (const std::runtime_error& error) {
            text = error.what();
        }
    };
    run_to_the_end(loop_, catching(caught));
    EXPECT_EQ(caught, "down there");
}

TEST_F(LoopTest, ATaskThatIsDroppedFreesWhatItHolds)
{
    const auto held = std::make_shared<int>(1);
    const auto holding = [](std::shared_ptr<int>) -> Task<> { co_return; };
    {
        auto never_started = holding(held);
        EXPECT_EQ(held.use_count(), 2);
    }
    EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace postern::net
