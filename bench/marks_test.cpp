#include "bench/marks.h"

#include <gtest/gtest.h>

#include <string>

namespace postern::bench {
namespace {

constexpr Mark kMark = 0x1234abcd;

std::string marks(Mark mark, std::uint64_t position, std::size_t size)
{
    std::string text(size, '\0');
    write_marks(mark, position, text);
    return text;
}

TEST(BenchMarks, EachLineSaysWhoseItIsAndWhere)
{
    EXPECT_EQ(marks(kMark, 0, 64),
              "1234abcd 000000000000000000000\r\n1234abcd 000000000000000000001\r\n");
    EXPECT_EQ(marks(kMark, 32 * 0xfeULL, 32), "1234abcd 0000000000000000000fe\r\n");
}

TEST(BenchMarks, AStreamIsTheSameHoweverItIsCut)
{
    const std::string whole = marks(kMark, 0, 3000);
    for (std::size_t begin = 0; begin < 100; ++begin) {
        for (const std::size_t size : {0u, 1u, 31u, 32u, 33u, 500u}) {
            EXPECT_EQ(marks(kMark, begin, size), whole.substr(begin, size));
            EXPECT_EQ(find_wrong_mark(kMark, begin, whole.substr(begin, size)), std::nullopt);
        }
    }
}

TEST(BenchMarks, WhatIsWrongIsFound)
{
    const std::string whole = marks(kMark, 7, 3000);
    for (std::size_t at = 0; at < whole.size(); ++at) {
        std::string other = whole;
        other[at] ^= 1;
        EXPECT_EQ(find_wrong_mark(kMark, 7, other), at);
    }
    EXPECT_TRUE(find_wrong_mark(kMark, 7, marks(kMark + 1, 7, 40)));  // somebody else's
    EXPECT_TRUE(find_wrong_mark(kMark, 7, marks(kMark, 39, 40)));     // a line was lost
    EXPECT_TRUE(find_wrong_mark(kMark, 7, marks(kMark, 7, 40) + "ab"));
    EXPECT_TRUE(find_wrong_mark(kMark, 39, marks(kMark, 7, 40)));  // or came twice
}

}  // namespace
}  // namespace postern::bench
