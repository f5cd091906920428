#include "base/line.h"

#include <gtest/gtest.h>

#include <string>

namespace postern {
namespace {

using namespace std::string_view_literals;
using Words = std::vector<std::string_view>;

TEST(Line, EndsAtLfWithOrWithoutCr)
{
    EXPECT_EQ(next_line("NOOP\r\nQUIT\r\n")->text, "NOOP");
    EXPECT_EQ(next_line("NOOP\r\nQUIT\r\n")->consumed, 6u);
    EXPECT_EQ(next_line("NOOP\nQUIT")->text, "NOOP");
    EXPECT_EQ(next_line("NOOP\nQUIT")->consumed, 5u);
    EXPECT_EQ(next_line("\n")->text, "");
    EXPECT_EQ(next_line("\r\n")->consumed, 2u);
}

TEST(Line, IsNothingUntilLfArrives)
{
    EXPECT_FALSE(next_line(""));
    EXPECT_FALSE(next_line("NOOP"));
    EXPECT_FALSE(next_line("NOOP\r"));
}

TEST(Line, KeepsAllOtherBytes)
{
    EXPECT_EQ(next_line("a\0\x80\tb \r\n"sv)->text, "a\0\x80\tb "sv);
}

TEST(Line, OnlyOneCrBelongsToTheEnd)
{
    EXPECT_FALSE(next_line("NOOP\r\n")->has_stray_cr());
    EXPECT_TRUE(next_line("NOOP\r\r\n")->has_stray_cr());
    EXPECT_TRUE(next_line("NO\rOP\r\n")->has_stray_cr());
    EXPECT_TRUE(next_line("\rNOOP\n")->has_stray_cr());
}

TEST(Line, OfAServerEndsAtCrlfAlone)
{
    EXPECT_FALSE(next_crlf_line("+OK\n"));
    EXPECT_FALSE(next_crlf_line("+OK\r"));
    EXPECT_EQ(next_crlf_line("+OK\nx\r\ny")->text, "+OK\nx");
    EXPECT_EQ(next_crlf_line("+OK\nx\r\ny")->consumed, 7u);
}

TEST(Line, WordsAreSeparatedBySpacesOnly)
{
    EXPECT_EQ(split_words("", 3), Words());
    EXPECT_EQ(split_words("   ", 0), Words());
    EXPECT_EQ(split_words("  a  b\tc ", 3), (Words{"a", "b\tc"}));
    EXPECT_EQ(split_words("a b c", 3), (Words{"a", "b", "c"}));
    EXPECT_FALSE(split_words("a b c d", 3));
}

TEST(Line, WordsOfAHugeLineStopAtTheLimit)
{
    std::string text;
    for (int i = 0; i < 100'000; ++i) {
        text += "a ";
    }
    EXPECT_FALSE(split_words(text, 11));
}

TEST(Line, WhatFitsOnOne)
{
    EXPECT_TRUE(fits_on_a_line(""));
    EXPECT_TRUE(fits_on_a_line("a b\t\x7f\xff"));
    EXPECT_FALSE(fits_on_a_line("a\rb"));
    EXPECT_FALSE(fits_on_a_line("a\nb"));
    EXPECT_FALSE(fits_on_a_line("a\0b"sv));
    EXPECT_FALSE(fits_on_a_line("\0"sv));
}

}  // namespace
}  // namespace postern
