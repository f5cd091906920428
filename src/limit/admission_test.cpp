#include "limit/admission.h"

#include <string>
#include <vector>

namespace postern::limit {
namespace {

using namespace std::chrono_literals;

SocketAddress ip(std::string_view text)
{
    return SocketAddress::parse_ip(text, 1234).value();
}

class AdmissionTest : public testing::Test
{
protected:
    // What is full; "" if it may come in.
    std::string enter(std::string_view address)
    {
        auto entered = admission_.enter(settings_, ip(address));
        if (!entered) {
            return std::string(entered.error());
        }
        inside_.push_back(std::move(*entered));
        return "";
    }

    Admission admission_{1000};
    config::MailServer settings_;
    std::vector<Admission::Entered> inside_;
};

TEST_F(AdmissionTest, AddressesAndNetworksAreCounted)
{
    settings_.limit_conn.address = 2;
    settings_.limit_conn.network = 3;
    EXPECT_EQ(enter("192.0.2.1"), "");
    EXPECT_EQ(enter("::ffff:192.0.2.1"), "");
    EXPECT_EQ(enter("192.0.2.1"), "limit_conn address");
    EXPECT_EQ(enter("192.0.2.2"), "");
    EXPECT_EQ(enter("192.0.2.3"), "limit_conn network");
    EXPECT_EQ(enter("192.0.3.3"), "");
    inside_.clear();
    EXPECT_EQ(enter("192.0.2.1"), "");
}

TEST_F(AdmissionTest, AnIpv6ClientIsA64)
{
    settings_.limit_newcomers.address = 1;
    settings_.limit_newcomers.network = 2;
    EXPECT_EQ(enter("2001:db8:1:2::1"), "");
    EXPECT_EQ(enter("2001:db8:1:2:ffff::1"), "limit_newcomers address");
    EXPECT_EQ(enter("2001:db8:1:3::1"), "");
    EXPECT_EQ(enter("2001:db8:1:4::1"), "limit_newcomers network");
    EXPECT_EQ(enter("2001:db8:2:4::1"), "");
}

TEST_F(AdmissionTest, ANewcomerMakesRoomWhenItLogsIn)
{
    settings_.limit_conn.total = 2;
    settings_.limit_newcomers.total = 1;
    EXPECT_EQ(enter("192.0.2.1"), "");
    EXPECT_EQ(enter("192.0.2.2"), "limit_newcomers total");
    inside_.front().as_newcomer = {};
    EXPECT_EQ(enter("192.0.2.2"), "");
    inside_.back().as_newcomer = {};
    EXPECT_EQ(enter("192.0.2.3"), "limit_conn total");
}

TEST_F(AdmissionTest, WhoIsTurnedAwayIsNotCounted)
{
    settings_.limit_conn.address = 1;
    settings_.limit_conn.network = 2;
    EXPECT_EQ(enter("192.0.2.1"), "");
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(enter("192.0.2.1"), "limit_conn address");
    }
    EXPECT_EQ(enter("192.0.2.2"), "");
}

TEST_F(AdmissionTest, RatesOfAddressesAndNetworks)
{
    const auto now = Admission::Clock::now();
    const auto turn = [&](std::string_view address) {
        return admission_.turn(settings_, ip(address), now);
    };
    EXPECT_EQ(turn("192.0.2.1").wait, 0ms);  // no limit
    settings_.limit_conn_rate.address = {.per_1000_seconds = 200, .burst = 0};
    settings_.limit_conn_rate.network = {.per_1000_seconds = 100, .burst = 2};
    EXPECT_EQ(turn("192.0.2.1").wait, 0ms);
    const auto second = turn("192.0.2.1");
    EXPECT_GT(second.wait, 4s);
    EXPECT_EQ(second.limit, "limit_conn_rate address");
    const auto third = turn("192.0.2.1");
    EXPECT_EQ(third.wait, 10s);
    EXPECT_EQ(third.limit, "limit_conn_rate address");
    EXPECT_EQ(turn("192.0.2.1").wait, std::nullopt);
    const auto neighbour = turn("192.0.2.2");
    EXPECT_EQ(neighbour.wait, 10s);
    EXPECT_EQ(neighbour.limit, "limit_conn_rate network");
    EXPECT_EQ(turn("192.0.2.3").wait, std::nullopt);
    EXPECT_EQ(turn("192.0.3.3").wait, 0ms);
}

TEST_F(AdmissionTest, AnAddressPaysNothingWhereItsNetworkIsTooFast)
{
    const auto now = Admission::Clock::now();
    const auto turn = [&](std::string_view address) {
        return admission_.turn(settings_, ip(address), now);
    };
    settings_.limit_conn_rate.address = {.per_1000_seconds = 200, .burst = 0};
    settings_.limit_conn_rate.network = {.per_1000_seconds = 1, .burst = 0};
    EXPECT_EQ(turn("192.0.2.1").wait, 0ms);
    EXPECT_EQ(turn("192.0.2.2").limit, "limit_conn_rate network");
    settings_.limit_conn_rate.network = {};
    EXPECT_EQ(turn("192.0.2.2").wait, 0ms);
    EXPECT_GT(turn("192.0.2.1").wait, 4s);  // who came in has paid
}

TEST_F(AdmissionTest, AllTogetherAreFullOnlyForThoseWhomNothingElseKeepsOut)
{
    settings_.limit_conn.total = 1;
    settings_.limit_newcomers.address = 1;
    EXPECT_EQ(enter("192.0.2.1"), "");
    EXPECT_EQ(enter("192.0.2.1"), "limit_newcomers address");
    EXPECT_EQ(enter("192.0.2.2"), "limit_conn total");
}

TEST_F(AdmissionTest, HandshakesOfAllTogether)
{
    const auto now = Admission::Clock::now();
    EXPECT_EQ(admission_.handshake_turn(settings_, now).wait, 0ms);
    settings_.limit_handshakes = {.per_1000_seconds = 150, .burst = 1};
    EXPECT_EQ(admission_.handshake_turn(settings_, now).wait, 0ms);
    EXPECT_EQ(admission_.handshake_turn(settings_, now).wait, 0ms);
    EXPECT_GT(admission_.handshake_turn(settings_, now).wait, 6s);
    const auto refused = admission_.handshake_turn(settings_, now);
    EXPECT_EQ(refused.wait, std::nullopt);
    EXPECT_EQ(refused.limit, "limit_handshakes");
}

}  // namespace
}  // namespace postern::limit
