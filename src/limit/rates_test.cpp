#include "limit/rates.h"

#include <random>

namespace postern::limit {
namespace {

using namespace std::chrono_literals;
using config::Rate;
using std::chrono::milliseconds;

constexpr Rate kTenASecond{.per_1000_seconds = 10'000, .burst = 3};

class RatesTest : public testing::Test
{
protected:
    std::optional<milliseconds> take(std::uint64_t hash, milliseconds after = 0ms,
                                     const Rate& limit = kTenASecond)
    {
        return rates_.take(hash, limit, begin_ + after);
    }

    Rates rates_{64 * 8};
    Rates::Clock::time_point begin_ = Rates::Clock::now() + 1s;
};

TEST_F(RatesTest, ABurstIsFreeThenTheyWaitAndAreTurnedAwayAtLast)
{
    for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(take(7), 0ms);
    }
    for (int i = 1; i <= 100; ++i) {
        EXPECT_EQ(take(7), milliseconds(100 * i));
    }
    EXPECT_EQ(take(7), std::nullopt);
    EXPECT_EQ(take(7), std::nullopt);  // which does not count
    EXPECT_EQ(take(8), 0ms);           // somebody else
    EXPECT_EQ(take(7, 100ms), 10s);
    EXPECT_EQ(take(7, 20s), 0ms);
}

TEST_F(RatesTest, WhatIsGivenBackIsForTheNext)
{
    for (int i = 0; i < 5; ++i) {
        take(7);
    }
    EXPECT_EQ(take(7), 200ms);
    rates_.give_back(7, kTenASecond);
    EXPECT_EQ(take(7), 200ms);
    rates_.give_back(8, kTenASecond);  // nobody knows it
    EXPECT_EQ(take(7), 300ms);
    EXPECT_EQ(take(8), 0ms);
}

TEST_F(RatesTest, WithoutABurstEachHasItsTurn)
{
    constexpr Rate kStrict{.per_1000_seconds = 10'000, .burst = 0};
    EXPECT_EQ(take(7, 0ms, kStrict), 0ms);
    EXPECT_EQ(take(7, 0ms, kStrict), 100ms);
    EXPECT_EQ(take(7, 150ms, kStrict), 50ms);
    EXPECT_EQ(take(7, 1000ms, kStrict), 0ms);
}

TEST_F(RatesTest, SlowAndFastOnes)
{
    constexpr Rate kOneAMinute{.per_1000_seconds = 1000 / 60, .burst = 1};
    EXPECT_EQ(take(1, 0ms, kOneAMinute), 0ms);
    EXPECT_EQ(take(1, 0ms, kOneAMinute), 0ms);
    EXPECT_EQ(take(1, 0ms, kOneAMinute), std::nullopt);
    EXPECT_EQ(take(1, 65s, kOneAMinute), 0ms);
    constexpr Rate kFastest{.per_1000_seconds = 100'000'000, .burst = 10'000'000};
    for (int i = 0; i < 1000; ++i) {
        EXPECT_LE(take(2, 0ms, kFastest), 10ms);
    }
}

// A million strangers: whoever has come once gives way before an offender does.
TEST_F(RatesTest, AFloodOfOthersDoesNotMakeAnOffenderForgotten)
{
    std::mt19937_64 random(1);
    const std::uint64_t offender = random();
    while (take(offender)) {
    }
    for (int i = 0; i < 1'000'000; ++i) {
        EXPECT_EQ(take(random(), 1ms), 0ms);
    }
    EXPECT_EQ(take(offender, 2ms), std::nullopt);
}

}  // namespace
}  // namespace postern::limit
