#include "bench/options.h"

#include <gtest/gtest.h>

#include <sstream>
#include <vector>

namespace postern::bench {
namespace {

std::expected<Options, std::string> parse(const std::string& line)
{
    std::istringstream words(line);
    std::vector<std::string> owned;
    for (std::string word; words >> word;) {
        owned.push_back(word);
    }
    const std::vector<std::string_view> arguments(owned.begin(), owned.end());
    return parse_options(arguments);
}

LoadOptions load(const std::string& line)
{
    const auto options = parse("load " + line);
    EXPECT_TRUE(options) << options.error();
    return options ? std::get<LoadOptions>(*options) : LoadOptions{};
}

std::string error(const std::string& line)
{
    const auto options = parse(line);
    return options ? "" : options.error();
}

TEST(BenchOptions, ServersHavePorts)
{
    const auto backend = parse("backend --imap 1 --pop3 2 --smtp 65535");
    ASSERT_TRUE(backend);
    EXPECT_EQ(std::get<BackendOptions>(*backend).ports, (Ports{1, 2, 65535}));

    const auto auth = parse("auth --smtp 4 --port 1 --imap 2 --pop3 3");
    ASSERT_TRUE(auth);
    EXPECT_EQ(std::get<AuthOptions>(*auth).port, 1);
    EXPECT_EQ(std::get<AuthOptions>(*auth).mailbox_ports, (Ports{2, 3, 4}));
}

TEST(BenchOptions, LoadHasDefaults)
{
    const LoadOptions options = load("login --protocol pop3 --port 110");
    EXPECT_EQ(options.work, Work::login);
    EXPECT_EQ(options.protocol, Protocol::pop3);
    EXPECT_EQ(options.port, 110);
    EXPECT_EQ(options.tls, Tls::none);
    EXPECT_FALSE(options.resume);
    EXPECT_EQ(options.clients, 1u);
    EXPECT_EQ(options.users, 1u);
    EXPECT_EQ(options.seconds.count(), 5);
    EXPECT_FALSE(options.count);
    EXPECT_EQ(options.bytes, 0u);
}

TEST(BenchOptions, LoadTakesThemAll)
{
    const LoadOptions options = load(
        "answers --protocol smtp --port 25 --tls starttls --resume --clients 7 --users 3 "
        "--count 9 --bytes 100");
    EXPECT_EQ(options.work, Work::answers);
    EXPECT_EQ(options.tls, Tls::starttls);
    EXPECT_TRUE(options.resume);
    EXPECT_EQ(options.clients, 7u);
    EXPECT_EQ(options.users, 3u);
    EXPECT_EQ(options.count, 9u);
    EXPECT_EQ(options.bytes, 100u);
    EXPECT_EQ(load("login --protocol imap --port 1 --seconds 0.25").seconds.count(), 0.25);
}

TEST(BenchOptions, AnswersAndBulkHaveTheirSizes)
{
    EXPECT_EQ(load("answers --protocol imap --port 1").bytes, 32768u);
    EXPECT_EQ(load("bulk-up --protocol imap --port 1").bytes, 16u << 20);
    EXPECT_EQ(load("bulk-down --protocol imap --port 1").bytes, 16u << 20);
}

TEST(BenchOptions, EachClientOfASoakIsAnotherUser)
{
    const auto parsed = parse("soak --protocol pop3 --port 5 --tls starttls --clients 7 --name x-");
    ASSERT_TRUE(parsed) << parsed.error();
    const LoadOptions& load = std::get<SoakOptions>(*parsed).load;
    EXPECT_EQ(load.protocol, Protocol::pop3);
    EXPECT_EQ(load.port, 5);
    EXPECT_EQ(load.tls, Tls::starttls);
    EXPECT_EQ(load.clients, 7u);
    EXPECT_EQ(load.users, 7u);
    EXPECT_EQ(load.name, "x-");
    EXPECT_EQ(error("soak --port 5"), "--protocol is missing");
    EXPECT_EQ(error("soak --protocol imap --port 5 --seconds 3"), "--seconds means nothing here");
}

TEST(BenchOptions, SaysWhatIsWrong)
{
    EXPECT_EQ(error(""), "a command is missing");
    EXPECT_EQ(error("frontend"), "unknown command \"frontend\"");
    EXPECT_EQ(error("backend --imap 1 --pop3 2"), "--smtp is missing");
    EXPECT_EQ(error("backend --imap 0 --pop3 2 --smtp 3"),
              "--imap \"0\" is not a number from 1 to 65535");
    EXPECT_EQ(error("backend --imap 1 --pop3 2 --smtp"), "--smtp has no value");
    EXPECT_EQ(error("backend --imap 1 --imap 1"), "--imap is there twice");
    EXPECT_EQ(error("backend 1"), "unexpected argument \"1\"");
    EXPECT_EQ(error("backend --imap 1 --pop3 2 --smtp 3 --port 4"), "--port means nothing here");
    EXPECT_EQ(error("load --port 4"),
              "load what? login, lone-login, round-trip, answers, bulk-down, bulk-up, idle, storm");
    EXPECT_EQ(error("load login --port 4"), "--protocol is missing");
    EXPECT_EQ(error("load login --protocol http --port 4"),
              "--protocol \"http\" is none of: imap, pop3, smtp");
    EXPECT_EQ(error("load login --protocol imap --port 4 --resume"),
              "--resume is of no use without --tls");
    EXPECT_EQ(error("load login --protocol imap --port 4 --seconds 1 --count 1"),
              "--seconds and --count exclude each other");
    EXPECT_EQ(error("load login --protocol imap --port 4 --seconds nan"),
              "--seconds \"nan\" is not a number of seconds");
    EXPECT_EQ(error("load login --protocol imap --port 4 --bytes 5"), "--bytes means nothing here");
    EXPECT_EQ(error("load idle --protocol imap --port 4 --seconds 5"),
              "--seconds means nothing here");
    EXPECT_EQ(error("load lone-login --protocol imap --port 4 --clients 2"),
              "--clients \"2\" is not a number from 1 to 1");
}

}  // namespace
}  // namespace postern::bench
