#include "protocol/foreign_words.h"

#include <gtest/gtest.h>

namespace postern::protocol {
namespace {

TEST(ForeignWords, AreQuoted)
{
    const Secret password("secret");
    const Secret none;
    EXPECT_EQ(foreign_words("-ERR no\a", {{"bob", password}}), "\"-ERR no\\x07\"");
    EXPECT_EQ(foreign_words("-ERR secre", {{"bob", password}}), "\"-ERR secre\"");
    EXPECT_EQ(foreign_words("-ERR", {{"bob", none}}), "\"-ERR\"");
}

TEST(ForeignWords, DoNotRepeatAPassword)
{
    const std::string_view hidden = "(not shown, as it repeats the password)";
    const Secret password("secret");
    const Secret other("other");
    const Secret brief("e");
    EXPECT_EQ(foreign_words("-ERR unknown command: PASS secret", {{"bob", password}}), hidden);
    EXPECT_EQ(foreign_words("500 what is \"AUTH PLAIN AGJvYgBzZWNyZXQ=\"?", {{"bob", password}}),
              hidden);
    EXPECT_EQ(foreign_words("-ERR secret", {{"x", other}, {"bob", password}}), hidden);
    // Of a short one nothing may be seen either, not even where it is.
    EXPECT_EQ(foreign_words("-ERR e", {{"bob", brief}}), hidden);
}

}  // namespace
}  // namespace postern::protocol
