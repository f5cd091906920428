#include "base/text.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

using namespace std::literals;

TEST(Text, IgnoresCaseOfAsciiOnly)
{
    EXPECT_TRUE(iequals("StartTLS", "STARTTLS"));
    EXPECT_FALSE(iequals("a", "ab"));
    EXPECT_FALSE(iequals("[", "{"));  // differ in the bit that makes letters small
    EXPECT_EQ(to_lower("AZ\xc3\x84@["), "az\xc3\x84@[");
}

TEST(Text, NumbersAreDigitsAndNothingElse)
{
    EXPECT_EQ(parse_number<unsigned>("0042"), 42u);
    EXPECT_EQ(parse_number<std::uint16_t>("65535"), 65535);
    EXPECT_EQ(parse_number<std::uint16_t>("65536"), std::nullopt);
    for (const auto* text : {"", "+1", "-1", " 1", "1 ", "0x1", "1.0"}) {
        EXPECT_EQ(parse_number<unsigned>(text), std::nullopt) << text;
    }
}

TEST(Text, PartsInARow)
{
    EXPECT_EQ(concat({}), "");
    EXPECT_EQ(concat({"a", "", std::string(40, 'b'), "\r\n"}), "a" + std::string(40, 'b') + "\r\n");
}

TEST(Text, Trim)
{
    EXPECT_EQ(trim("  a b  "), "a b");
    EXPECT_EQ(trim("   "), "");
    EXPECT_EQ(trim("\ta "), "\ta");
    EXPECT_EQ(trim("a\r\n", "\r\n"), "a");
}

TEST(EscapeForLog, KeepsWhatIsReadable)
{
    EXPECT_EQ(escape_for_log("bob@example.com"), "bob@example.com");
    EXPECT_EQ(escape_for_log("b\xc3\xb6"
                             "b \xe2\x82\xac \xf0\x9f\x93\xac"),
              "b\xc3\xb6"
              "b \xe2\x82\xac \xf0\x9f\x93\xac");
}

TEST(EscapeForLog, EndsNoLineAndNoQuote)
{
    EXPECT_EQ(escape_for_log("a\r\nb\0c"sv), "a\\x0d\\x0ab\\x00c");
    EXPECT_EQ(escape_for_log("a\"b\\c\x7f\x1b"), "a\\x22b\\x5cc\\x7f\\x1b");
}

TEST(EscapeForLog, BytesThatAreNotUtf8)
{
    EXPECT_EQ(escape_for_log("\x85\xff"), "\\x85\\xff");
    EXPECT_EQ(escape_for_log("\xc3"), "\\xc3");                    // cut short
    EXPECT_EQ(escape_for_log("\xc0\xaf"), "\\xc0\\xaf");           // too long a form of "/"
    EXPECT_EQ(escape_for_log("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // half a surrogate pair
    EXPECT_EQ(escape_for_log("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");
    EXPECT_EQ(escape_for_log("\xe0\x80\x80"), "\\xe0\\x80\\x80");
}

TEST(EscapeForLog, CharactersThatViewersObey)
{
    EXPECT_EQ(escape_for_log("\xc2\x85"), "\\xc2\\x85");           // next line
    EXPECT_EQ(escape_for_log("\xe2\x80\xa8"), "\\xe2\\x80\\xa8");  // line separator
    EXPECT_EQ(escape_for_log("\xe2\x80\xa9"), "\\xe2\\x80\\xa9");  // paragraph separator
    EXPECT_EQ(escape_for_log("\xe2\x80\xae"), "\\xe2\\x80\\xae");  // right to left
    EXPECT_EQ(escape_for_log("\xe2\x81\xa6"), "\\xe2\\x81\\xa6");  // isolate
    EXPECT_EQ(escape_for_log("\xe2\x80\xa7"), "\xe2\x80\xa7");     // hyphenation point: harmless
}

TEST(EscapeForLog, IsBounded)
{
    EXPECT_EQ(escape_for_log("abcd", 4), "abcd");
    EXPECT_EQ(escape_for_log("abcde", 4), "abcd...");
}

TEST(Text, ReleaseGivesTheMemoryBack)
{
    std::string text(100'000, 'x');
    release(text);
    EXPECT_EQ(text, "");
    EXPECT_LT(text.capacity(), 100u);
}

}  // namespace
}  // namespace postern
