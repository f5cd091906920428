#include "protocol/wrong_login.h"

#include <gtest/gtest.h>

namespace postern::protocol {
namespace {

TEST(WrongLogin, IsWhatDoesNotNameAnotherReason)
{
    for (const char* text : {"Invalid login or password", "[AUTHENTICATIONFAILED] no", "[AUTH] no",
                             "", "[ALERT] wrong", "sorry [UNAVAILABLE]"}) {
        EXPECT_TRUE(is_wrong_login(text)) << text;
    }
    for (const char* text : {"[UNAVAILABLE] later", "[unavailable] later", "[SYS/TEMP] later",
                             "[SYS/PERM] broken", "[IN-USE] locked", "[INUSE] locked",
                             "[LOGIN-DELAY] slowly", "[SERVERBUG] oh", "[CONTACTADMIN] him"}) {
        EXPECT_FALSE(is_wrong_login(text)) << text;
    }
}

TEST(WrongLogin, IsNothingThatPasses)
{
    EXPECT_TRUE(is_wrong_login("no", "535 5.7.8"));
    EXPECT_FALSE(is_wrong_login("later", "454 4.7.0"));
}

}  // namespace
}  // namespace postern::protocol
