#include "config/directives/server_name.h"

#include "config/testing.h"

namespace postern::config {
namespace {

using ServerNameTest = ConfigTest;
using Strings = std::vector<std::string>;

TEST_F(ServerNameTest, TheFirstThatIsNoWildcardIsOurOwn)
{
    const MailServer read = server("server_name *.example.com Mail.Example.COM other.example.;");
    EXPECT_EQ(read.server_name, "Mail.Example.COM");
    EXPECT_EQ(read.names, (Strings{"*.example.com", "mail.example.com", "other.example"}));
    EXPECT_EQ(server("server_name *.a;", "server_name b;").server_name, "b");
    EXPECT_EQ(server("server_name *.a;", "server_name b;").names, Strings{"*.a"});
    EXPECT_EQ(server("", "server_name b c;").names, (Strings{"b", "c"}));
    EXPECT_TRUE(server("").names.empty());
    EXPECT_EQ(server("server_name *.a;").server_name, server("").server_name);
}

TEST_F(ServerNameTest, ASingleNameMayBeAnyText)
{
    EXPECT_EQ(server("server_name \"our mail, since 1996\";").server_name, "our mail, since 1996");
    EXPECT_EQ(server("server_name \"\";").server_name, "");
    EXPECT_TRUE(server("server_name \"\";").names.empty());
    EXPECT_EQ(server("server_name _;").server_name, "_");
}

TEST_F(ServerNameTest, BadNames)
{
    for (const std::string bad :
         {"*", "*.", "*x.y", "a.*", "**.x", "a.*.b", "*.x.*", "*.*", "*..x", ".x.y", ".", "~^a"}) {
        EXPECT_EQ(
            error(mail("\nserver_name a " + bad + ";")),
            "server name \"" + bad + "\" is invalid (a name or *.DOMAIN is wanted) in t.conf:6");
    }
    EXPECT_EQ(server_error("server_name a \"b\\nc\";"),
              "\"server_name\" directive invalid value (text without control characters is "
              "wanted)");
    EXPECT_EQ(server_error("server_name;").find("invalid number of arguments"), 0u);
}

}  // namespace
}  // namespace postern::config
