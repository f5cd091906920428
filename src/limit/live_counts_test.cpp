#include "limit/live_counts.h"

#include <optional>
#include <random>
#include <thread>
#include <vector>

namespace postern::limit {
namespace {

TEST(LiveCounts, LetInAsManyAsThereMayBe)
{
    LiveCounts counts(100);
    std::vector<LiveCounts::Place> places;
    for (unsigned i = 0; i < 3; ++i) {
        auto place = counts.enter(42, 3);
        ASSERT_TRUE(place);
        EXPECT_TRUE(*place);
        places.push_back(std::move(*place));
    }
    const auto fourth = counts.enter(42, 3);
    ASSERT_FALSE(fourth);
    EXPECT_EQ(fourth.error(), 3u);
    EXPECT_TRUE(counts.enter(43, 3));  // somebody else
    EXPECT_TRUE(counts.enter(42, 4));  // a higher limit
    places.pop_back();
    EXPECT_TRUE(counts.enter(42, 3));
    places.clear();
    EXPECT_EQ(counts.count(42), 0u);
}

TEST(LiveCounts, NobodyMayComeWhereNoneMay)
{
    LiveCounts counts(100);
    EXPECT_FALSE(counts.enter(42, 0));
    EXPECT_EQ(counts.count(42), 0u);
}

TEST(LiveCounts, APlaceMovesWithoutBeingCountedTwice)
{
    LiveCounts counts(100);
    LiveCounts::Place first = *counts.enter(42, 9);
    LiveCounts::Place second = std::move(first);
    EXPECT_EQ(counts.count(42), 1u);
    second = LiveCounts::Place();
    EXPECT_EQ(counts.count(42), 0u);
}

TEST(LiveCounts, MemoryThatIsFullKeepsNobodyOut)
{
    LiveCounts counts(4);  // one bucket
    std::vector<LiveCounts::Place> places;
    for (std::uint64_t i = 1; i <= 20; ++i) {
        auto place = counts.enter(i << 40, 1);
        ASSERT_TRUE(place);
        EXPECT_EQ(static_cast<bool>(*place), i <= 8);
        places.push_back(std::move(*place));
    }
    EXPECT_FALSE(counts.enter(std::uint64_t{3} << 40, 1));
    places.clear();
    for (std::uint64_t i = 1; i <= 20; ++i) {
        EXPECT_EQ(counts.count(i << 40), 0u);
    }
}

TEST(LiveCounts, ManyThreadsLeaveNothingBehind)
{
    constexpr unsigned kMost = 5;
    LiveCounts counts(1000);
    std::atomic<unsigned> inside[16] = {};
    std::atomic<unsigned> too_many{0};
    std::vector<std::thread> threads;
    for (unsigned seed = 0; seed < 4; ++seed) {
        threads.emplace_back([&, seed] {
            std::minstd_rand random(seed + 1);
            for (int i = 0; i < 50'000; ++i) {
                const std::uint64_t who = random() % 16;
                auto place = counts.enter((who + 1) << 30, kMost);
                if (place) {
                    too_many += ++inside[who] > 2 * kMost ? 1 : 0;  // see the comment at enter()
                    --inside[who];
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(too_many, 0u);
    for (std::uint64_t who = 0; who < 16; ++who) {
        EXPECT_EQ(counts.count((who + 1) << 30), 0u);
    }
}

}  // namespace
}  // namespace postern::limit
