#include "config/load.h"

#include "config/testing.h"

namespace postern::config {
namespace {

using LoadTest = ConfigTest;

TEST_F(LoadTest, UsersThatAreNotThereYetAreWarnedOf)
{
    const std::string users = write("users", "");
    const Settings all = settings(
        "mail {\n"
        "auth_http http://no-such-host.invalid:9000/auth;\n"
        "server { listen 127.0.0.1:143; }\n"
        "server { listen 127.0.0.1:110; }\n"
        "server { listen 127.0.0.1:25; auth_http localhost:9000; }\n"
        "server { listen 127.0.0.1:587; auth_file " +
        folder_ +
        "missing; }\n"
        "server { listen 127.0.0.1:588; protocol smtp; auth_file " +
        users +
        "; }\n"
        "}\n");
    std::vector<std::string> texts;
    for (const Warning& warning : missing_users(all)) {
        EXPECT_EQ(warning.level, LogLevel::warn);
        texts.push_back(warning.text);
    }
    ASSERT_EQ(texts.size(), 2u);
    EXPECT_TRUE(texts[0].starts_with("host not found in auth_http \"no-such-host.invalid\""))
        << texts[0];
    EXPECT_TRUE(texts[0].ends_with("t.conf:2")) << texts[0];
    EXPECT_TRUE(texts[1].starts_with("open() \"" + folder_ +
                                     "missing\" failed (2: No such file or directory)"))
        << texts[1];
    EXPECT_TRUE(texts[1].ends_with("t.conf:6")) << texts[1];
}

}  // namespace
}  // namespace postern::config
