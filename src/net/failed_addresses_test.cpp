#include "net/failed_addresses.h"

#include <gtest/gtest.h>

namespace postern::net {
namespace {

using namespace std::chrono_literals;

SocketAddress address(const char* ip)
{
    return *SocketAddress::parse_ip(ip, 143);
}

class FailedAddressesTest : public testing::Test
{
protected:
    std::string order(Clock::time_point now) const
    {
        std::vector<SocketAddress> all{address("192.0.2.1"), address("192.0.2.2"),
                                       address("192.0.2.3")};
        failed_.put_last(all, now);
        std::string text;
        for (const SocketAddress& one : all) {
            text += one.ip_text().back();
        }
        return text;
    }

    FailedAddresses failed_;
    const Clock::time_point now_ = Clock::now();
};

TEST_F(FailedAddressesTest, AreLastForAWhile)
{
    EXPECT_EQ(order(now_), "123");
    failed_.add(address("192.0.2.1"), now_);
    EXPECT_EQ(order(now_), "231");
    EXPECT_EQ(order(now_ + FailedAddresses::kMemory - 1ms), "231");
    EXPECT_EQ(order(now_ + FailedAddresses::kMemory), "123");
}

TEST_F(FailedAddressesTest, KeepTheirOrder)
{
    failed_.add(address("192.0.2.2"), now_);
    failed_.add(address("192.0.2.1"), now_);
    EXPECT_EQ(order(now_), "312");
    failed_.add(address("192.0.2.3"), now_);
    EXPECT_EQ(order(now_), "123");
}

TEST_F(FailedAddressesTest, AnAnswerIsForgiveness)
{
    failed_.remove(address("192.0.2.1"));
    failed_.add(address("192.0.2.1"), now_);
    failed_.remove(address("192.0.2.1"));
    EXPECT_EQ(order(now_), "123");
}

TEST_F(FailedAddressesTest, AreNotRememberedWithoutLimit)
{
    for (std::size_t i = 0; i < FailedAddresses::kMax; ++i) {
        failed_.add(*SocketAddress::parse_ip("198.51.100.1", static_cast<std::uint16_t>(i)), now_);
    }
    failed_.add(address("192.0.2.1"), now_);
    EXPECT_EQ(order(now_), "123");
    const auto later = now_ + FailedAddresses::kMemory;  // the old ones make room
    failed_.add(address("192.0.2.1"), later);
    EXPECT_EQ(order(later), "231");
}

}  // namespace
}  // namespace postern::net
