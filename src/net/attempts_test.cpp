#include "net/attempts.h"

#include <gtest/gtest.h>

namespace postern::net {
namespace {

using namespace std::chrono_literals;

class AttemptsTest : public testing::Test
{
protected:
    Attempts attempts(int count)
    {
        Resolver::Addresses all;
        for (int i = 1; i <= count; ++i) {
            all.push_back(*SocketAddress::parse_ip("192.0.2." + std::to_string(i), 143));
        }
        return {resolver_, std::move(all), limit_};
    }

    Loop loop_;
    config::Resolver no_servers_;
    Resolver resolver_{loop_, no_servers_};
    Deadline limit_{loop_};
};

TEST_F(AttemptsTest, ShareTheTimeEqually)
{
    limit_.set(6s);
    Attempts tries = attempts(3);
    ASSERT_TRUE(tries.next());
    EXPECT_EQ(tries.address().ip_text(), "192.0.2.1");
    EXPECT_LE(tries.deadline().left(), 2s);
    EXPECT_GT(tries.deadline().left(), 1900ms);
    ASSERT_TRUE(tries.next());  // the first has failed at once
    EXPECT_EQ(tries.address().ip_text(), "192.0.2.2");
    EXPECT_LE(tries.deadline().left(), 3s);
    EXPECT_GT(tries.deadline().left(), 2900ms);
    ASSERT_TRUE(tries.next());
    EXPECT_EQ(&tries.deadline(), &limit_);
    EXPECT_FALSE(tries.next());
}

TEST_F(AttemptsTest, NobodyIsWaitedForLongWhileThereAreOthers)
{
    limit_.set(60s);
    Attempts tries = attempts(2);
    ASSERT_TRUE(tries.next());
    EXPECT_LE(tries.deadline().left(), Attempts::kPatience);
    EXPECT_GT(tries.deadline().left(), Attempts::kPatience - 100ms);
    ASSERT_TRUE(tries.next());
    EXPECT_GT(tries.deadline().left(), 59s);
}

TEST_F(AttemptsTest, OneAloneHasAllTheTime)
{
    limit_.set(60s);
    Attempts tries = attempts(1);
    ASSERT_TRUE(tries.next());
    EXPECT_EQ(&tries.deadline(), &limit_);
    EXPECT_FALSE(tries.next());
    EXPECT_FALSE(attempts(0).next());
}

TEST_F(AttemptsTest, EndWithTheLimit)
{
    limit_.set(0s);
    const auto wait = [](Loop& loop, Deadline& limit) -> Task<> {
        co_await limit;
        loop.stop();
    };
    spawn(wait(loop_, limit_));
    loop_.run();
    EXPECT_FALSE(attempts(3).next());
}

}  // namespace
}  // namespace postern::net
