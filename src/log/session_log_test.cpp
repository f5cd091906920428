#include "log/session_log.h"

#include "log/testing.h"

namespace postern::log {
namespace {

class SessionLogTest : public LoggerTest
{
protected:
    // What stands behind the time and the numbers of process and thread.
    std::vector<std::string> texts(const std::string& name) const
    {
        std::vector<std::string> result;
        for (const std::string& line : lines(name)) {
            result.push_back(line.substr(line.find('*')));
        }
        return result;
    }
};

using Strings = std::vector<std::string>;

TEST_F(SessionLogTest, SuffixSaysWhoTakesPart)
{
    SessionLog log(logger(file_target("a")), 7, "192.0.2.1", "0.0.0.0:143");
    log.write(LogLevel::info, "one");
    log.set_action("in auth state");
    log.set_using_starttls();
    log.set_login("a\"b\n");
    log.set_upstream("[::1]:143");
    log.write(LogLevel::info, "two");
    log.write_plain(LogLevel::info, "three");
    const std::string suffix =
        ", client: 192.0.2.1 using starttls, server: 0.0.0.0:143, login: \"a\\x22b\\x0a\", "
        "upstream: [::1]:143";
    EXPECT_EQ(texts("a"), (Strings{"*7 one, client: 192.0.2.1, server: 0.0.0.0:143",
                                   "*7 two while in auth state" + suffix, "*7 three" + suffix}));
}

TEST_F(SessionLogTest, OneSessionMayBeLoggedAtAllLevels)
{
    const Logger server = logger(file_target("a", LogLevel::error));
    SessionLog watched(server, 1, "a", "b");
    SessionLog other(server, 2, "a", "b");
    watched.log_everything();
    EXPECT_TRUE(watched.enabled(LogLevel::debug));
    EXPECT_FALSE(other.enabled(LogLevel::warn));
    watched.write(LogLevel::debug, "seen");
    other.write(LogLevel::warn, "not seen");
    EXPECT_EQ(texts("a"), Strings{"*1 seen, client: a, server: b"});
}

TEST_F(SessionLogTest, AtAllLevelsAlsoInTheLogsOfTheServerThatIsFoundLater)
{
    SessionLog log(logger(file_target("a", LogLevel::error)), 1, "a", "b");
    log.log_everything();
    log.set_logger(logger(file_target("b", LogLevel::crit)));
    log.write(LogLevel::debug, "seen");
    EXPECT_EQ(texts("a"), Strings{});
    EXPECT_EQ(texts("b"), Strings{"*1 seen, client: a, server: b"});
}

TEST_F(SessionLogTest, DebugLinesHaveNoSuffixAndTellOfStates)
{
    SessionLog log(logger(file_target("a", LogLevel::debug)), 7, "192.0.2.1", "0.0.0.0:143");
    log.set_login("bob");
    log.set_action("in auth state");
    log.debug("client sent {}", "NOOP");
    log.set_action("");
    EXPECT_EQ(texts("a"), (Strings{"*7 state: in auth state", "*7 client sent NOOP"}));
}

TEST_F(SessionLogTest, DebugLinesCostNothingUnlessWanted)
{
    SessionLog log(logger(file_target("a", LogLevel::info)), 7, "192.0.2.1", "0.0.0.0:143");
    log.set_action("in auth state");
    log.debug("client sent {}", "NOOP");
    EXPECT_EQ(texts("a"), Strings{});
}

TEST_F(SessionLogTest, WhoHasNoLogGetsNone)
{
    SessionLog log(Logger(), 1, "a", "b");
    log.log_everything();
    EXPECT_FALSE(log.enabled(LogLevel::emerg));
}

}  // namespace
}  // namespace postern::log
