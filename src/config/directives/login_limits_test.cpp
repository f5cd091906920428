#include <gtest/gtest.h>

#include "config/testing.h"

namespace postern::config {
namespace {

using std::chrono::milliseconds;

using LoginLimits = ConfigTest;

TEST_F(LoginLimits, AreOnByDefault)
{
    const MailServer server = this->server("");
    EXPECT_EQ(server.address_failures.most, 100U);
    EXPECT_EQ(server.address_failures.time, seconds(600));
    EXPECT_EQ(server.address_failures.delay, milliseconds(500));
    EXPECT_EQ(server.user_failures.most, 100U);
    EXPECT_EQ(server.user_failures.time, seconds(3600));
    EXPECT_EQ(server.login_timeout, seconds(180));
    EXPECT_EQ(server.limit_login_bytes, 65536U);
}

TEST_F(LoginLimits, EachPartIsInheritedByItself)
{
    const MailServer server = this->server("limit_auth_failures user 7 time=1d;",
                                           "limit_auth_failures address 3 delay=2s time=5m;");
    EXPECT_EQ(server.address_failures.most, 3U);
    EXPECT_EQ(server.address_failures.delay, seconds(2));
    EXPECT_EQ(server.address_failures.time, seconds(300));
    EXPECT_EQ(server.user_failures.most, 7U);
    EXPECT_EQ(server.user_failures.time, seconds(86400));
    EXPECT_EQ(server.user_failures.delay, milliseconds(500));
}

TEST_F(LoginLimits, AreSwitchedOff)
{
    EXPECT_EQ(server("limit_auth_failures off;").address_failures.most, 0U);
    EXPECT_EQ(server("limit_auth_failures off;").user_failures.most, 0U);
    const MailServer one = server("limit_auth_failures user off;");
    EXPECT_EQ(one.address_failures.most, 100U);
    EXPECT_EQ(one.user_failures.most, 0U);
}

TEST_F(LoginLimits, SayWhatWouldBeRight)
{
    const std::pair<const char*, const char*> kCases[] = {
        {"limit_auth_failures 5;", "address, user or off"},
        {"limit_auth_failures address;", "\"address NUMBER\" or \"address off\""},
        {"limit_auth_failures address 0;", "1 to 1000"},
        {"limit_auth_failures address 1001;", "1 to 1000"},
        {"limit_auth_failures address -1;", "1 to 1000"},
        {"limit_auth_failures address off time=3s;", "1 to 1000"},
        {"limit_auth_failures user 5 time=0;", "1s to 30d"},
        {"limit_auth_failures user 5 time=31d;", "1s to 30d"},
        {"limit_auth_failures user 5 delay=61s;", "no more than 1m"},
        {"limit_auth_failures user 5 rate=1;", "delay=TIME or time=TIME"},
        {"limit_auth_failures user 5; limit_auth_failures user 6;",
         "\"limit_auth_failures user\" directive is duplicate"},
        {"limit_auth_failures user 5; limit_auth_failures off;", "is duplicate"},
        {"login_timeout soon;", "a time such as"},
        {"limit_login_bytes all;", "a size such as"},
    };
    for (const auto& [directives, wanted] : kCases) {
        EXPECT_NE(server_error(directives).find(wanted), std::string::npos)
            << directives << ": " << server_error(directives);
    }
}

}  // namespace
}  // namespace postern::config
