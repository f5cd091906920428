#include "base/units.h"

#include <gtest/gtest.h>

#include <string>

namespace postern {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Sizes, HaveKilobytesAndMegabytesInEitherCase)
{
    EXPECT_EQ(parse_size("0"), 0u);
    EXPECT_EQ(parse_size("128"), 128u);
    EXPECT_EQ(parse_size("4k"), 4096u);
    EXPECT_EQ(parse_size("4K"), 4096u);
    EXPECT_EQ(parse_size("2m"), 2097152u);
    EXPECT_EQ(parse_size("2M"), 2097152u);
}

TEST(Sizes, RefuseAllElse)
{
    for (const char* text : {"", "k", "4g", "4kb", "1.5k", "-1", "+1", " 4k", "4 k", "x", "0x10"}) {
        EXPECT_EQ(parse_size(text), std::nullopt) << text;
    }
}

TEST(Sizes, RefuseWhatOverflows)
{
    EXPECT_EQ(parse_size("9223372036854775807"), 9223372036854775807u);
    EXPECT_EQ(parse_size("9223372036854775808"), std::nullopt);
    EXPECT_EQ(parse_size("9007199254740991k"), 9007199254740991u * 1024);
    EXPECT_EQ(parse_size("9007199254740992k"), std::nullopt);
    EXPECT_EQ(parse_size("99999999999999999999999"), std::nullopt);
}

TEST(Offsets, HaveGigabytesToo)
{
    EXPECT_EQ(parse_offset("3g"), 3ull << 30);
    EXPECT_EQ(parse_offset("3G"), 3ull << 30);
    EXPECT_EQ(parse_offset("3m"), 3ull << 20);
    EXPECT_EQ(parse_offset("3t"), std::nullopt);
}

TEST(Milliseconds, AddComponentsFromLargeToSmall)
{
    EXPECT_EQ(parse_milliseconds("0"), milliseconds(0));
    EXPECT_EQ(parse_milliseconds("60"), seconds(60));
    EXPECT_EQ(parse_milliseconds("500ms"), milliseconds(500));
    EXPECT_EQ(parse_milliseconds("5s"), seconds(5));
    EXPECT_EQ(parse_milliseconds("90m"), seconds(5400));
    EXPECT_EQ(parse_milliseconds("24h"), seconds(86400));
    EXPECT_EQ(parse_milliseconds("2d"), seconds(2 * 86400));
    EXPECT_EQ(parse_milliseconds("1w"), seconds(7 * 86400));
    EXPECT_EQ(parse_milliseconds("1h30m"), seconds(5400));
    EXPECT_EQ(parse_milliseconds("1h 30m"), seconds(5400));
    EXPECT_EQ(parse_milliseconds("5s 500ms"), milliseconds(5500));
    EXPECT_EQ(parse_milliseconds("1h 30"), seconds(3630));
    EXPECT_EQ(parse_milliseconds("1w2d3h4m5s6ms"),
              milliseconds(((9 * 24 + 3) * 3600 + 4 * 60 + 5) * 1000 + 6));
    EXPECT_EQ(parse_milliseconds("5 "), seconds(5));
}

TEST(Milliseconds, RefuseAllElse)
{
    for (const char* text : {"", " ", "h", "30m1h", "5s5s", "1.5s", "-1", "1y", "1M", "5 s", " 5s",
                             "5S", "1H", "5x", "5ms1s", "5ms5ms", "\t5"}) {
        EXPECT_EQ(parse_milliseconds(text), std::nullopt) << text;
    }
}

TEST(Milliseconds, RefuseWhatOverflows)
{
    EXPECT_EQ(parse_milliseconds("9223372036854775807ms"), milliseconds::max());
    EXPECT_EQ(parse_milliseconds("9223372036854775808ms"), std::nullopt);
    EXPECT_EQ(parse_milliseconds("9223372036854775"), milliseconds(9223372036854775000));
    EXPECT_EQ(parse_milliseconds("9223372036854776"), std::nullopt);
    EXPECT_EQ(parse_milliseconds("9223372036854775s 808ms"), std::nullopt);
}

TEST(Seconds, HaveYearsAndMonthsButNoMilliseconds)
{
    EXPECT_EQ(parse_seconds("5m"), seconds(300));
    EXPECT_EQ(parse_seconds("1y"), seconds(365 * 86400));
    EXPECT_EQ(parse_seconds("1M"), seconds(30 * 86400));
    EXPECT_EQ(parse_seconds("1y2M"), seconds((365 + 60) * 86400));
    for (const char* text : {"5ms", "1s5ms", "1M1y", "1y1y", ""}) {
        EXPECT_EQ(parse_seconds(text), std::nullopt) << text;
    }
}

}  // namespace
}  // namespace postern
