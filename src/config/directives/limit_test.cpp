#include "config/testing.h"

namespace postern::config {
namespace {

using LimitsTest = ConfigTest;

TEST_F(LimitsTest, AreOnByDefaultForStrangers)
{
    const MailServer read = server("");
    EXPECT_EQ(read.limit_conn.total, 0u);
    EXPECT_EQ(read.limit_conn.address, 0u);
    EXPECT_EQ(read.limit_newcomers.address, 500u);
    EXPECT_EQ(read.limit_newcomers.network, 2000u);
    EXPECT_EQ(read.limit_conn_rate.address.per_1000_seconds, 100'000u);
    EXPECT_EQ(read.limit_conn_rate.address.burst, 1000u);
    EXPECT_EQ(read.limit_conn_rate.network.per_1000_seconds, 0u);
    EXPECT_EQ(read.limit_handshakes.per_1000_seconds, 5'000'000u);
    EXPECT_EQ(read.limit_exempt.size(), 3u);
    EXPECT_EQ(read.limit_log_level, LogLevel::error);
    EXPECT_FALSE(read.limit_dry_run);
}

TEST_F(LimitsTest, EachWordIsInheritedByItself)
{
    const MailServer read =
        server("limit_conn address 5; limit_newcomers address off; limit_conn_rate network 90r/m;",
               "limit_conn network 7; limit_conn address 6; limit_exempt 10.0.0.0/8;");
    EXPECT_EQ(read.limit_conn.address, 5u);
    EXPECT_EQ(read.limit_conn.network, 7u);
    EXPECT_EQ(read.limit_newcomers.address, 0u);
    EXPECT_EQ(read.limit_newcomers.network, 2000u);
    EXPECT_EQ(read.limit_conn_rate.network.per_1000_seconds, 1500u);
    EXPECT_EQ(read.limit_conn_rate.address.burst, 1000u);
    EXPECT_EQ(read.limit_exempt.size(), 1u);
    EXPECT_TRUE(server("limit_exempt none;").limit_exempt.empty());
    EXPECT_EQ(server("limit_exempt 10.0.0.0/8; limit_exempt ::1;").limit_exempt.size(), 2u);
}

TEST_F(LimitsTest, WrongOnes)
{
    EXPECT_EQ(server_error("limit_conn address 5; limit_conn address 6;"),
              "\"limit_conn address\" directive is duplicate");
    EXPECT_EQ(server_error("limit_conn host 5;"),
              "invalid value \"host\" (total, address or network is wanted)");
    EXPECT_EQ(server_error("limit_conn address 0;"),
              "\"limit_conn\" directive invalid number (off, or 1 to 10000000 is wanted)");
    EXPECT_EQ(server_error("limit_conn_rate total 5r/s;"),
              "invalid value \"total\" (address or network is wanted)");
    for (const char* const rate : {"5", "0r/s", "r/s", "100001r/s", "5r/h", "-1r/s"}) {
        EXPECT_EQ(server_error("limit_handshakes " + std::string(rate) + ";"),
                  "invalid value \"" + std::string(rate) +
                      "\" (off, or a rate such as 20r/s or 90r/m, of 100000r/s at most is wanted)");
    }
    EXPECT_EQ(server_error("limit_conn_rate address 5r/s delay=5;"),
              "invalid value \"delay=5\" (burst=NUMBER is wanted)");
    EXPECT_EQ(server_error("limit_log_level crit;"),
              "invalid value \"crit\" (info, notice, warn or error is wanted)");
}

}  // namespace
}  // namespace postern::config
