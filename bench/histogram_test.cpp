#include "bench/histogram.h"

#include <gtest/gtest.h>

namespace postern::bench {
namespace {

TEST(BenchHistogram, KnowsNothingWithoutValues)
{
    const Histogram histogram;
    EXPECT_EQ(histogram.count(), 0u);
    EXPECT_EQ(histogram.percentile(0.5), 0u);
}

TEST(BenchHistogram, IsExactForSmallValues)
{
    Histogram histogram;
    for (std::uint64_t value = 1; value <= 100; ++value) {
        histogram.add(value);
    }
    EXPECT_EQ(histogram.count(), 100u);
    EXPECT_EQ(histogram.percentile(0), 1u);
    EXPECT_EQ(histogram.percentile(0.01), 1u);
    EXPECT_EQ(histogram.percentile(0.5), 50u);
    EXPECT_EQ(histogram.percentile(0.99), 99u);
    EXPECT_EQ(histogram.percentile(1), 100u);
}

TEST(BenchHistogram, IsNearForAllOthers)
{
    for (std::uint64_t value = 1; value < (std::uint64_t{1} << 39); value = value * 5 / 4 + 1) {
        Histogram histogram;
        histogram.add(value);
        const auto said = static_cast<double>(histogram.percentile(0.5));
        EXPECT_NEAR(said, static_cast<double>(value), static_cast<double>(value) / 64) << value;
    }
}

TEST(BenchHistogram, OrdersItsBucketsByValue)
{
    Histogram histogram;
    for (const std::uint64_t value : {127u, 128u, 129u, 130u, 255u, 256u, 260u, 65535u, 65536u}) {
        histogram.add(value);
        EXPECT_NEAR(static_cast<double>(histogram.percentile(1)), static_cast<double>(value),
                    static_cast<double>(value) / 64);
    }
    EXPECT_EQ(histogram.percentile(0.01), 127u);
}

TEST(BenchHistogram, KeepsTheRareSlowOnesApart)
{
    Histogram histogram;
    for (int i = 0; i < 985; ++i) {
        histogram.add(100);
    }
    for (int i = 0; i < 15; ++i) {
        histogram.add(40'000);
    }
    EXPECT_EQ(histogram.percentile(0.985), 100u);
    EXPECT_NEAR(static_cast<double>(histogram.percentile(0.99)), 40'000, 40'000.0 / 64);
}

TEST(BenchHistogram, CountsWhatIsTooBigAsTheBiggest)
{
    Histogram histogram;
    histogram.add(~std::uint64_t{0});
    EXPECT_NEAR(static_cast<double>(histogram.percentile(0.5)), 0x1p40, 0x1p34);
}

}  // namespace
}  // namespace postern::bench
