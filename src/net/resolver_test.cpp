#include "net/resolver.h"

#include "net/dns_testing.h"
#include "net/testing.h"

namespace postern::net {
namespace {

using namespace std::chrono_literals;

class ResolverTest : public testing::Test
{
protected:
    using Answer = std::expected<Resolver::Addresses, ResolveError>;

    static Task<> look_up(Resolver& resolver, std::string host, Clock::duration limit,
                          std::string& text)
    {
        Deadline deadline(resolver.loop());
        deadline.set(limit);
        const auto found = co_await resolver.addresses(std::move(host), 143, deadline);
        text = found ? "" : found.error().text() + (found.error().not_found ? ", not found" : "");
        for (std::size_t i = 0; found && i < found->size(); ++i) {
            text += (i == 0 ? "" : " ") + (*found)[i].text();
        }
    }
    static Task<> look_back(Resolver& resolver, SocketAddress address, std::string& text)
    {
        Deadline deadline(resolver.loop());
        deadline.set(10s);
        const auto found = co_await resolver.name(address, deadline);
        text =
            found ? *found : found.error().text() + (found.error().not_found ? ", not found" : "");
    }

    // All addresses in words, or the error.
    std::string addresses(Resolver& resolver, const std::string& host, Clock::duration limit = 10s)
    {
        std::string text;
        run_to_the_end(loop_, look_up(resolver, host, limit, text));
        return text;
    }
    std::string name(Resolver& resolver, const char* address)
    {
        std::string text;
        run_to_the_end(loop_, look_back(resolver, *SocketAddress::parse_ip(address, 0), text));
        return text;
    }
    unsigned questions(const std::string& host) const
    {
        return server_.questions(host, DnsServer::kA);
    }

    static constexpr auto kDnsOnly = Resolver::Sources::dns;
    Loop loop_;
    DnsServer server_{loop_};
};

TEST_F(ResolverTest, AnAddressIsItsOwnAnswer)
{
    Resolver resolver(loop_, server_.settings());
    EXPECT_EQ(addresses(resolver, "192.0.2.1"), "192.0.2.1:143");
    EXPECT_EQ(addresses(resolver, "2001:db8::1"), "[2001:db8::1]:143");
    EXPECT_EQ(questions("192.0.2.1"), 0u);
}

TEST_F(ResolverTest, BothKindsOfAddresses)
{
    server_.add("mail.example.test", DnsServer::kA, "192.0.2.1");
    server_.add("mail.example.test", DnsServer::kA, "192.0.2.2");
    server_.add("mail.example.test", DnsServer::kAaaa, "2001:db8::1");
    Resolver resolver(loop_, server_.settings(), kDnsOnly);
    const std::string found = addresses(resolver, "mail.example.test");
    for (const char* address : {"192.0.2.1:143", "192.0.2.2:143", "[2001:db8::1]:143"}) {
        EXPECT_NE(found.find(address), std::string::npos) << found;
    }
}

TEST_F(ResolverTest, OnlyTheKindsThatAreWanted)
{
    server_.add("mail.example.test", DnsServer::kA, "192.0.2.1");
    server_.add("mail.example.test", DnsServer::kAaaa, "2001:db8::1");
    config::Resolver settings = server_.settings();
    settings.ipv6 = false;
    Resolver only_ipv4(loop_, settings, kDnsOnly);
    EXPECT_EQ(addresses(only_ipv4, "mail.example.test"), "192.0.2.1:143");
    EXPECT_EQ(server_.questions("mail.example.test", DnsServer::kAaaa), 0u);
    settings.ipv6 = true;
    settings.ipv4 = false;
    Resolver only_ipv6(loop_, settings, kDnsOnly);
    EXPECT_EQ(addresses(only_ipv6, "mail.example.test"), "[2001:db8::1]:143");
    EXPECT_EQ(questions("mail.example.test"), 1u);
}

TEST_F(ResolverTest, TheHostsFileOnlyWhereItIsWanted)
{
    server_.add("localhost", DnsServer::kA, "192.0.2.99");
    config::Resolver settings = server_.settings();
    settings.ipv6 = false;
    Resolver with_file(loop_, settings);
    EXPECT_EQ(addresses(with_file, "localhost"), "127.0.0.1:143");
    EXPECT_EQ(questions("localhost"), 0u);
}

TEST_F(ResolverTest, ANameThatIsMissingIsNotAServerThatFails)
{
    server_.add("other.example.test", DnsServer::kPtr, "it.has.no.address");
    Resolver resolver(loop_, server_.settings(), kDnsOnly);
    EXPECT_EQ(addresses(resolver, "nobody.example.test"), "3: Host not found, not found");
    EXPECT_EQ(addresses(resolver, "other.example.test"), "3: Host not found, not found");
    EXPECT_EQ(name(resolver, "192.0.2.1"), "3: Host not found, not found");
    server_.fail_with(DnsServer::kServerFailure);
    EXPECT_EQ(addresses(resolver, "mail.example.test"), "2: Server failure");
    EXPECT_EQ(name(resolver, "192.0.2.1"), "2: Server failure");
}

TEST_F(ResolverTest, NamesThatCanNotBe)
{
    Resolver resolver(loop_, server_.settings(), kDnsOnly);
    EXPECT_TRUE(addresses(resolver, std::string(64, 'a') + ".test").ends_with("not found"));
    EXPECT_TRUE(addresses(resolver, "a..test").ends_with("not found"));
}

TEST_F(ResolverTest, SilenceEndsAtTheDeadline)
{
    server_.be_silent();
    Resolver resolver(loop_, server_.settings(), kDnsOnly);
    EXPECT_EQ(addresses(resolver, "mail.example.test", 20ms), "110: Operation timed out");
    EXPECT_EQ(addresses(resolver, "mail.example.test", 0ms), "110: Operation timed out");
}

TEST_F(ResolverTest, NamesOfAddresses)
{
    server_.add("1.2.0.192.in-addr.arpa", DnsServer::kPtr, "client.example.test");
    server_.add("1.2.0.192.in-addr.arpa", DnsServer::kPtr, "second.example.test");
    server_.add("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.f.0.8.b.d.0.1.0.0.2.ip6.arpa",
                DnsServer::kPtr, "six.example.test");
    Resolver resolver(loop_, server_.settings(), kDnsOnly);
    EXPECT_EQ(name(resolver, "192.0.2.1"), "client.example.test");
    EXPECT_EQ(name(resolver, "2001:db8:f00::1"), "six.example.test");
    EXPECT_EQ(name(resolver, "192.0.2.1"), "client.example.test");
    EXPECT_EQ(server_.questions("1.2.0.192.in-addr.arpa", DnsServer::kPtr), 1u);
}

TEST_F(ResolverTest, AnAnswerIsKeptForItsTtl)
{
    server_.add("mail.example.test", DnsServer::kA, "192.0.2.1", 1);
    server_.add("mail.example.test", DnsServer::kA, "192.0.2.2", 60);
    Resolver resolver(loop_, server_.settings(), kDnsOnly);
    addresses(resolver, "mail.example.test");
    addresses(resolver, "Mail.Example.TEST");
    EXPECT_EQ(questions("mail.example.test"), 1u);
    const auto wait = [](Loop& loop) -> Task<> {
        Deadline pause(loop);
        pause.set(1100ms);
        co_await pause;
    };
    run_to_the_end(loop_, wait(loop_));
    addresses(resolver, "mail.example.test");
    EXPECT_EQ(questions("mail.example.test"), 2u);
}

TEST_F(ResolverTest, ValidIsInsteadOfTheTtl)
{
    server_.add("mail.example.test", DnsServer::kA, "192.0.2.1", 0);
    config::Resolver settings = server_.settings();
    settings.valid = 60s;
    Resolver resolver(loop_, settings, kDnsOnly);
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(addresses(resolver, "mail.example.test"), "192.0.2.1:143");
    }
    EXPECT_EQ(questions("mail.example.test"), 1u);
}

TEST_F(ResolverTest, ErrorsAreNotKept)
{
    Resolver resolver(loop_, server_.settings(), kDnsOnly);
    EXPECT_EQ(addresses(resolver, "new.example.test"), "3: Host not found, not found");
    server_.add("new.example.test", DnsServer::kA, "192.0.2.1");
    EXPECT_EQ(addresses(resolver, "new.example.test"), "192.0.2.1:143");
}

TEST_F(ResolverTest, WhatTheServerSays)
{
    Resolver resolver(loop_, server_.settings(), kDnsOnly);
    server_.fail_with(DnsServer::kServerFailure);
    EXPECT_EQ(addresses(resolver, "mail.example.test"), "2: Server failure");
    server_.fail_with(DnsServer::kNotImplemented);
    EXPECT_EQ(addresses(resolver, "mail.example.test"), "4: Unimplemented");
    server_.fail_with(DnsServer::kRefused);
    EXPECT_EQ(addresses(resolver, "mail.example.test"), "5: Operation refused");
}

TEST_F(ResolverTest, WhereNoServerIs)
{
    config::Resolver settings = server_.settings();
    {
        const DnsServer short_lived(loop_);
        settings.servers = {short_lived.address()};
    }
    Resolver resolver(loop_, settings, kDnsOnly);
    EXPECT_EQ(addresses(resolver, "mail.example.test"), "111: Connection refused");
    EXPECT_EQ(name(resolver, "192.0.2.1"), "111: Connection refused");
}

TEST_F(ResolverTest, AServerThatFailsIsNotTheLastOneToBeAsked)
{
    DnsServer broken(loop_);
    config::Resolver settings = server_.settings();
    settings.servers = {broken.address(), server_.address()};
    settings.ipv6 = false;
    for (const unsigned code :
         {DnsServer::kServerFailure, DnsServer::kNotImplemented, DnsServer::kRefused}) {
        broken.fail_with(code);
        Resolver resolver(loop_, settings, kDnsOnly);
        for (int i = 0; i < 4; ++i) {
            const std::string host = "m" + std::to_string(i) + ".example.test";
            server_.add(host, DnsServer::kA, "192.0.2.1");
            EXPECT_EQ(addresses(resolver, host, 1500ms).substr(0, 13), "192.0.2.1:143") << code;
        }
    }
}

TEST_F(ResolverTest, AServerThatIsSilentIsNotTheLastOneToBeAsked)
{
    DnsServer silent(loop_);
    silent.be_silent();
    server_.add("mail.example.test", DnsServer::kA, "192.0.2.1");
    config::Resolver settings = server_.settings();
    settings.servers = {silent.address(), server_.address()};
    settings.ipv6 = false;
    Resolver resolver(loop_, settings, kDnsOnly);
    EXPECT_EQ(addresses(resolver, "mail.example.test"), "192.0.2.1:143");
}

TEST_F(ResolverTest, HalfAnAnswerIsEnough)
{
    server_.add("mail.example.test", DnsServer::kA, "192.0.2.1");
    Resolver resolver(loop_, server_.settings(), kDnsOnly);
    server_.fail_with(DnsServer::kServerFailure, DnsServer::kAaaa);
    EXPECT_EQ(addresses(resolver, "mail.example.test"), "192.0.2.1:143");
    server_.fail_with(0, DnsServer::kAaaa);
    server_.be_silent(DnsServer::kAaaa);
    const auto began = Clock::now();
    EXPECT_EQ(addresses(resolver, "mail.example.test"), "192.0.2.1:143");
    EXPECT_LT(Clock::now() - began, 1900ms);  // before the servers are asked again
}

// "There is none" from one, and nothing from the other: who knows.
TEST_F(ResolverTest, HalfAFailureIsNotNotFound)
{
    server_.add("mail.example.test", DnsServer::kPtr, "it.has.no.address");
    server_.fail_with(DnsServer::kServerFailure, DnsServer::kA);
    Resolver resolver(loop_, server_.settings(), kDnsOnly);
    EXPECT_EQ(addresses(resolver, "mail.example.test"), "2: Server failure");
    server_.be_silent(DnsServer::kAaaa);
    server_.fail_with(0, DnsServer::kA);
    EXPECT_EQ(addresses(resolver, "mail.example.test", 50ms), "110: Operation timed out");
}

TEST_F(ResolverTest, TheSameQuestionIsAskedOnce)
{
    server_.add("mail.example.test", DnsServer::kA, "192.0.2.1", 0);
    Resolver resolver(loop_, server_.settings(), kDnsOnly);
    constexpr int kSessions = 20;
    std::string texts[kSessions];
    int done = 0;
    const auto ask = [](Resolver& asked, std::string& text, int& count) -> Task<> {
        std::string host = "mail.example.test";
        co_await look_up(asked, std::move(host), 10s, text);
        if (++count == kSessions) {
            asked.loop().stop();
        }
    };
    for (std::string& text : texts) {
        spawn(ask(resolver, text, done));
    }
    loop_.run();
    for (const std::string& text : texts) {
        EXPECT_EQ(text, "192.0.2.1:143");
    }
    EXPECT_EQ(questions("mail.example.test"), 1u);
}

TEST_F(ResolverTest, WhoGivesUpTakesNothingFromOthers)
{
    server_.add("mail.example.test", DnsServer::kA, "192.0.2.1");
    Resolver resolver(loop_, server_.settings(), kDnsOnly);
    std::string hasty;
    auto first = look_up(resolver, "mail.example.test", 0ms, hasty);
    first.await_suspend(std::noop_coroutine()).resume();
    EXPECT_EQ(addresses(resolver, "mail.example.test"), "192.0.2.1:143");
    EXPECT_EQ(hasty, "110: Operation timed out");
    EXPECT_EQ(questions("mail.example.test"), 1u);
}

// A packet that was lost is sent again only two seconds after it: nobody waits for that.
TEST_F(ResolverTest, WhoComesLaterAsksAgain)
{
    server_.be_silent();
    server_.add("mail.example.test", DnsServer::kA, "192.0.2.1");
    Resolver resolver(loop_, server_.settings(), kDnsOnly);
    EXPECT_EQ(addresses(resolver, "mail.example.test", 600ms), "110: Operation timed out");
    EXPECT_EQ(questions("mail.example.test"), 1u);
    server_.speak();
    EXPECT_EQ(addresses(resolver, "mail.example.test", 1s), "192.0.2.1:143");
    EXPECT_EQ(questions("mail.example.test"), 2u);
}

TEST_F(ResolverTest, EachCallBeginsWithAnotherAddress)
{
    for (const char* address : {"192.0.2.1", "192.0.2.2", "192.0.2.3"}) {
        server_.add("mail.example.test", DnsServer::kA, address);
    }
    server_.add("mail.example.test", DnsServer::kAaaa, "2001:db8::1");
    Resolver resolver(loop_, server_.settings(), kDnsOnly);
    for (const char* expected : {"192.0.2.1:143 192.0.2.2:143 192.0.2.3:143 [2001:db8::1]:143",
                                 "192.0.2.2:143 192.0.2.3:143 192.0.2.1:143 [2001:db8::1]:143",
                                 "192.0.2.3:143 192.0.2.1:143 192.0.2.2:143 [2001:db8::1]:143",
                                 "192.0.2.1:143 192.0.2.2:143 192.0.2.3:143 [2001:db8::1]:143"}) {
        EXPECT_EQ(addresses(resolver, "mail.example.test"), expected);
    }
}

TEST_F(ResolverTest, WhoHasFailedIsTriedLast)
{
    server_.add("mail.example.test", DnsServer::kA, "192.0.2.1");
    server_.add("mail.example.test", DnsServer::kAaaa, "2001:db8::1");
    Resolver resolver(loop_, server_.settings(), kDnsOnly);
    const SocketAddress first = *SocketAddress::parse_ip("192.0.2.1", 143);
    resolver.has_failed(first);
    EXPECT_EQ(addresses(resolver, "mail.example.test"), "[2001:db8::1]:143 192.0.2.1:143");
    resolver.has_answered(first);
    EXPECT_EQ(addresses(resolver, "mail.example.test"), "192.0.2.1:143 [2001:db8::1]:143");
    resolver.has_failed(*SocketAddress::parse_ip("192.0.2.1", 25));  // that is another server
    EXPECT_EQ(addresses(resolver, "mail.example.test"), "192.0.2.1:143 [2001:db8::1]:143");
}

TEST_F(ResolverTest, AnOldAddressIsBetterThanNone)  // RFC 8767
{
    server_.add("mail.example.test", DnsServer::kA, "192.0.2.1", 0);
    Resolver resolver(loop_, server_.settings());
    Resolver strict(loop_, server_.settings(), kDnsOnly);
    EXPECT_EQ(addresses(resolver, "mail.example.test"), "192.0.2.1:143");
    EXPECT_EQ(addresses(strict, "mail.example.test"), "192.0.2.1:143");
    const auto wait = [](Loop& loop) -> Task<> {
        Deadline pause(loop);
        pause.set(1100ms);
        co_await pause;
    };
    run_to_the_end(loop_, wait(loop_));
    server_.fail_with(DnsServer::kServerFailure);
    EXPECT_EQ(addresses(resolver, "mail.example.test"), "192.0.2.1:143");
    EXPECT_EQ(addresses(strict, "mail.example.test"), "2: Server failure");
    server_.fail_with(0);
    server_.forget("mail.example.test", DnsServer::kA);
    EXPECT_EQ(addresses(resolver, "mail.example.test"), "3: Host not found, not found");
    server_.be_silent();
    EXPECT_EQ(addresses(resolver, "mail.example.test"), "192.0.2.1:143");
}

// c-ares closes one socket and opens the next, which gets the same number.
TEST_F(ResolverTest, AServerThatIsGoneDelaysNobody)
{
    SocketAddress gone;
    {
        const DnsServer short_lived(loop_);
        gone = short_lived.address();
    }
    config::Resolver settings = server_.settings();
    settings.servers = {gone, server_.address()};
    for (const bool ipv6 : {false, true}) {
        settings.ipv6 = ipv6;
        Resolver resolver(loop_, settings, kDnsOnly);
        for (int i = 0; i < 4; ++i) {
            const std::string host = "mail" + std::to_string(i) + ".example.test";
            server_.add(host, DnsServer::kA, "192.0.2.1");
            EXPECT_EQ(addresses(resolver, host, 1500ms).substr(0, 13), "192.0.2.1:143") << i;
        }
    }
}

TEST_F(ResolverTest, ManyAtOnceAndOneAfterTheOther)
{
    constexpr int kNames = 200;
    for (int i = 0; i < kNames; ++i) {
        server_.add("m" + std::to_string(i) + ".test", DnsServer::kA, "192.0.2.1");
    }
    Resolver resolver(loop_, server_.settings(), kDnsOnly);
    int done = 0;
    // Each asks for the next name from within the answer to the one before.
    const auto chain = [](Resolver& asked, int first, int& count) -> Task<> {
        for (int i = first; i < kNames; i += 10) {
            std::string host = "m" + std::to_string(i) + ".test";
            std::string text;
            co_await look_up(asked, std::move(host), 10s, text);
            count += text == "192.0.2.1:143";
        }
        if (count == kNames) {
            asked.loop().stop();
        }
    };
    for (int i = 0; i < 10; ++i) {
        spawn(chain(resolver, i, done));
    }
    loop_.run();
    EXPECT_EQ(done, kNames);
}

TEST_F(ResolverTest, WhoeverWaitsWhenItGoesIsNotWokenUp)
{
    server_.be_silent();
    auto resolver = std::make_unique<Resolver>(loop_, server_.settings(), kDnsOnly);
    std::string host = "untouched";
    std::string address = "untouched";
    auto first = look_up(*resolver, "mail.example.test", 10s, host);
    auto second = look_back(*resolver, *SocketAddress::parse_ip("192.0.2.1", 0), address);
    first.await_suspend(std::noop_coroutine()).resume();
    second.await_suspend(std::noop_coroutine()).resume();
    resolver.reset();
    EXPECT_EQ(host, "untouched");
    EXPECT_EQ(address, "untouched");
}

}  // namespace
}  // namespace postern::net
