#include "limit/auth_failures.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

namespace postern::limit {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Refused = AuthFailures::Refused;

constexpr Time kNow = 1'000'000;

SocketAddress ip(std::string_view text)
{
    return *SocketAddress::parse_ip(text, 0);
}

class AuthFailuresTest : public testing::Test
{
protected:
    AuthFailures::Attempt attempt(std::string_view address, std::string_view user,
                                  std::string_view secret = "")
    {
        return failures_->attempt(ip(address), user,
                                  secret.empty() ? std::to_string(++secrets_) : secret);
    }
    milliseconds fail(std::string_view address, std::string_view user, std::string_view secret = "")
    {
        return failures_->failed(attempt(address, user, secret), limits(), now_);
    }
    void fail(int times, std::string_view address, std::string_view user)
    {
        for (int i = 0; i < times; ++i) {
            fail(address, user);
        }
    }
    void succeed(std::string_view address, std::string_view user)
    {
        failures_->succeeded(attempt(address, user), limits(), now_);
    }
    Refused refused(std::string_view address, std::string_view user)
    {
        return failures_->refused(attempt(address, user), limits(), now_);
    }
    AuthFailures::Limits limits() const { return {by_address_, by_user_}; }

    std::shared_ptr<AuthFailures> failures_ = AuthFailures::make();
    config::AuthFailureLimit by_address_{
        .most = 5, .delay = milliseconds(100), .time = seconds(600)};
    config::AuthFailureLimit by_user_{
        .most = 10, .delay = milliseconds(100), .time = seconds(3600)};
    Time now_ = kNow;
    int secrets_ = 0;
};

TEST_F(AuthFailuresTest, AnAddressIsRefusedAtItsLimitAndOnlyThen)
{
    fail(4, "192.0.2.1", "a");
    EXPECT_EQ(refused("192.0.2.1", "b"), Refused::no);
    fail("192.0.2.1", "c");
    EXPECT_EQ(refused("192.0.2.1", "b"), Refused::by_address);
    EXPECT_EQ(refused("192.0.2.2", "b"), Refused::no);
}

TEST_F(AuthFailuresTest, TheRefusalEndsAfterItsTimeAndAllIsForgotten)
{
    fail(5, "192.0.2.1", "a");
    now_ += 599;
    EXPECT_EQ(refused("192.0.2.1", "a"), Refused::by_address);
    now_ += 1;
    EXPECT_EQ(refused("192.0.2.1", "a"), Refused::no);
    fail(4, "192.0.2.1", "a");
    EXPECT_EQ(refused("192.0.2.1", "a"), Refused::no);
}

TEST_F(AuthFailuresTest, ARefusalIsNotMadeLongerByThoseWhoGoOn)
{
    by_user_.most = 0;
    fail(5, "192.0.2.1", "a");
    now_ += 300;
    fail(50, "192.0.2.1", "a");
    now_ += 300;
    EXPECT_EQ(refused("192.0.2.1", "a"), Refused::no);
}

TEST_F(AuthFailuresTest, FailuresAreForgottenOneAfterTheOther)
{
    fail(4, "192.0.2.1", "a");
    now_ += 120;  // a fifth of the time: one of five
    fail("192.0.2.1", "a");
    EXPECT_EQ(refused("192.0.2.1", "a"), Refused::no);
    fail("192.0.2.1", "a");
    EXPECT_EQ(refused("192.0.2.1", "a"), Refused::by_address);
}

TEST_F(AuthFailuresTest, DelaysDoubleUpToSixteenTimes)
{
    by_address_.most = 1000;
    by_user_.most = 0;
    for (const int expected : {100, 200, 400, 800, 1600, 1600, 1600}) {
        EXPECT_EQ(fail("192.0.2.1", "a"), milliseconds(expected));
    }
    by_address_.delay = milliseconds(0);
    EXPECT_EQ(fail("192.0.2.1", "a"), milliseconds(0));
}

TEST_F(AuthFailuresTest, ANameIsRefusedToStrangersWhateverItsLetters)
{
    for (int i = 0; i < 10; ++i) {
        fail("192.0.2." + std::to_string(i), i % 2 == 0 ? "alice" : "Alice");
    }
    EXPECT_EQ(refused("198.51.100.1", "ALICE"), Refused::by_user);
    EXPECT_EQ(refused("198.51.100.1", "bob"), Refused::no);
    EXPECT_EQ(fail("198.51.100.1", "ALICE"), milliseconds(1600)) << "delayed as the name's tenth";
}

TEST_F(AuthFailuresTest, GuessersElsewhereDoNotLockAUserOut)
{
    succeed("203.0.113.7", "alice");
    for (int i = 0; i < 100; ++i) {
        fail("192.0.2." + std::to_string(i), "alice");
    }
    EXPECT_EQ(refused("203.0.113.7", "alice"), Refused::no);
    EXPECT_EQ(refused("203.0.113.99", "alice"), Refused::no) << "the same /24";
    EXPECT_EQ(refused("203.0.114.7", "alice"), Refused::by_user);
    EXPECT_EQ(fail("203.0.113.7", "alice"), milliseconds(100)) << "only her own failures delay her";
    succeed("203.0.113.7", "alice");
    EXPECT_EQ(refused("192.0.2.200", "alice"), Refused::by_user) << "her success is not theirs";
}

TEST_F(AuthFailuresTest, GuessersBesideThemDoNotLockUsersOut)
{
    succeed("203.0.113.7", "alice");
    fail(5, "203.0.113.7", "bob");
    EXPECT_EQ(refused("203.0.113.7", "bob"), Refused::by_address);
    EXPECT_EQ(refused("203.0.113.7", "alice"), Refused::no);
    fail(5, "203.0.113.7", "alice");
    EXPECT_EQ(refused("203.0.113.7", "alice"), Refused::by_address) << "her own failures count";
}

TEST_F(AuthFailuresTest, AHomeIsForgottenAfterAMonth)
{
    succeed("203.0.113.7", "alice");
    now_ += HomeNetworks::kKeptFor - 10;
    fail(10, "198.51.100.1", "x");
    fail(10, "203.0.113.7", "x");
    EXPECT_EQ(refused("203.0.113.7", "alice"), Refused::no);
    now_ += 10;
    EXPECT_EQ(refused("203.0.113.7", "alice"), Refused::by_address);
}

TEST_F(AuthFailuresTest, ASuccessTakesBackTheUsersOwnFailuresAndNoOthers)
{
    fail(2, "192.0.2.1", "victim");
    fail(2, "192.0.2.1", "attacker");
    succeed("192.0.2.1", "attacker");
    fail(2, "192.0.2.1", "victim");
    EXPECT_EQ(refused("192.0.2.1", "victim"), Refused::no) << "four failures are left";
    succeed("192.0.2.1", "attacker");
    fail("192.0.2.1", "victim");
    EXPECT_EQ(refused("192.0.2.1", "victim"), Refused::by_address) << "five";
    succeed("192.0.2.1", "attacker");
    EXPECT_EQ(refused("192.0.2.1", "victim"), Refused::by_address);
}

TEST_F(AuthFailuresTest, MistypedThenRightCountsNothing)
{
    by_address_.most = 20;
    for (int i = 0; i < 100; ++i) {
        const std::string user = "user" + std::to_string(i);
        fail(3, "192.0.2.1", user);
        succeed("192.0.2.1", user);
    }
    EXPECT_EQ(refused("192.0.2.1", "somebody"), Refused::no);
}

TEST_F(AuthFailuresTest, TheSamePasswordAgainIsNoNewGuess)
{
    for (int i = 0; i < 1000; ++i) {
        EXPECT_EQ(fail("192.0.2.1", "alice", "the old one"), milliseconds(100));
    }
    EXPECT_EQ(refused("192.0.2.1", "alice"), Refused::no);
    fail("192.0.2.1", "bob", "the old one");
    EXPECT_EQ(fail("192.0.2.1", "alice", "another"), milliseconds(400)) << "but these are";
}

TEST_F(AuthFailuresTest, AddressesThatAreOne)
{
    fail(5, "2001:db8:1:2::1", "a");
    EXPECT_EQ(refused("2001:db8:1:2:ffff::9", "b"), Refused::by_address) << "one /64";
    EXPECT_EQ(refused("2001:db8:1:3::1", "b"), Refused::no);
    fail(5, "::ffff:192.0.2.1", "a");
    EXPECT_EQ(refused("192.0.2.1", "b"), Refused::by_address);
    EXPECT_EQ(refused("::ffff:192.0.2.2", "b"), Refused::no);
}

TEST_F(AuthFailuresTest, WhatIsOffDoesNothing)
{
    by_user_.most = 0;
    fail(4, "192.0.2.1", "a");
    EXPECT_EQ(refused("192.0.2.1", "a"), Refused::no);
    by_address_.most = 0;
    EXPECT_EQ(fail("192.0.2.1", "a"), milliseconds(0));
    by_user_.most = 2;
    fail(2, "192.0.2.1", "a");
    EXPECT_EQ(refused("192.0.2.9", "a"), Refused::by_user);
}

TEST_F(AuthFailuresTest, WithoutANameOnlyTheAddressCounts)
{
    fail(20, "192.0.2.1", "");
    EXPECT_EQ(refused("192.0.2.1", ""), Refused::by_address);
    EXPECT_EQ(refused("192.0.2.2", ""), Refused::no);
    succeed("192.0.2.3", "");
    fail(5, "192.0.2.3", "");
    EXPECT_EQ(refused("192.0.2.3", ""), Refused::by_address);
}

TEST_F(AuthFailuresTest, AServerThatAllowsLessTakesNothingBack)
{
    by_address_.most = 50;
    fail(20, "192.0.2.1", "a");
    by_address_.most = 5;
    fail("192.0.2.1", "a");
    EXPECT_EQ(refused("192.0.2.1", "a"), Refused::by_address);
    by_address_.most = 20;
    EXPECT_EQ(refused("192.0.2.1", "a"), Refused::by_address);
}

// A million names: whoever is guessed at on purpose stays counted, and who has logged in at home
// stays there.
TEST_F(AuthFailuresTest, AFloodOfNamesAndAddressesEvictsWhatIsWorthLeast)
{
    succeed("203.0.113.7", "alice");
    fail(5, "192.0.2.1", "target");
    for (int i = 0; i < 5; ++i) {
        fail("198.51.100." + std::to_string(i), "target");
    }
    for (unsigned i = 0; i < 1'000'000; ++i) {
        const std::string address = std::to_string(1 + i / 65536) + "." +
                                    std::to_string(i / 256 % 256) + "." + std::to_string(i % 256) +
                                    ".9";
        fail(address, "name" + std::to_string(i));
    }
    EXPECT_EQ(refused("192.0.2.1", "b"), Refused::by_address);
    EXPECT_EQ(refused("192.0.2.77", "target"), Refused::by_user);
    EXPECT_EQ(refused("203.0.113.7", "alice"), Refused::no);
    fail(5, "203.0.113.7", "x");
    EXPECT_EQ(refused("203.0.113.7", "alice"), Refused::no);
    int innocent = 0;
    for (int i = 0; i < 1000; ++i) {
        const std::string address = "100.64.0." + std::to_string(i % 256);
        innocent += refused(address, "innocent" + std::to_string(i)) == Refused::no ? 1 : 0;
    }
    EXPECT_EQ(innocent, 1000);
}

// Threads that count for the same and for different ones: none is lost, none is made up.
TEST_F(AuthFailuresTest, ThreadsCountTogether)
{
    by_address_.most = 900;
    by_user_.most = 0;
    constexpr int kThreads = 4;
    constexpr int kTimes = 200;
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
        threads.emplace_back([this, thread] {
            for (int i = 0; i < kTimes; ++i) {
                const std::string secret = std::to_string(thread) + ":" + std::to_string(i);
                const std::string own = "192.0.2." + std::to_string(10 + thread);
                for (const std::string& address : {std::string("192.0.2.1"), own}) {
                    const auto guess =
                        failures_->attempt(ip(address), "u" + std::to_string(thread), secret);
                    failures_->failed(guess, limits(), kNow);
                    failures_->refused(guess, limits(), kNow);
                }
                failures_->succeeded(failures_->attempt(ip(own), "u", secret), limits(), kNow);
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    // A guess in 16,000 is taken for one that was made before.
    EXPECT_EQ(refused("192.0.2.1", "x"), Refused::no);
    by_address_.most = kThreads * kTimes - 10;
    EXPECT_EQ(refused("192.0.2.1", "x"), Refused::by_address);
    by_address_.most = kTimes - 10;
    EXPECT_EQ(refused("192.0.2.11", "x"), Refused::by_address);
    by_address_.most = kTimes + 1;
    EXPECT_EQ(refused("192.0.2.11", "x"), Refused::no);
}

TEST_F(AuthFailuresTest, IsSharedWithProcessesEvenIfTheyDieInTheMiddle)
{
    for (int i = 0; i < 5; ++i) {
        const pid_t child = fork();
        if (child == 0) {
            std::thread([this] {
                for (;;) {
                    fail("198.51.100.1", "x");
                }
            }).detach();
            failures_->failed(failures_->attempt(ip("192.0.2.1"), "a", std::to_string(i)), limits(),
                              kNow);
            kill(getpid(), SIGKILL);
        }
        waitpid(child, nullptr, 0);
    }
    EXPECT_EQ(refused("192.0.2.1", "b"), Refused::by_address);
    fail(5, "198.51.100.2", "y");
    EXPECT_EQ(refused("198.51.100.2", "b"), Refused::by_address);
}

}  // namespace
}  // namespace postern::limit
