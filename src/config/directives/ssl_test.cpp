// TLS with clients.
#include "config/testing.h"

namespace postern::config {
namespace {

using SslTest = ConfigTest;
using Strings = std::vector<std::string>;

TEST_F(SslTest, Defaults)
{
    const Ssl read = server("").ssl;
    EXPECT_TRUE(read.pairs.empty());
    EXPECT_EQ(read.protocols, (Strings{"TLSv1.2", "TLSv1.3"}));
    EXPECT_EQ(read.ciphers.text, "HIGH:!aNULL:!MD5");
    EXPECT_FALSE(read.prefer_server_ciphers);
    EXPECT_EQ(read.session_cache, SslSessionCache{});
    EXPECT_EQ(read.session_timeout, seconds(300));
}

TEST_F(SslTest, Protocols)
{
    EXPECT_EQ(server("ssl_protocols tlsv1.3;").ssl.protocols, Strings{"TLSv1.3"});
    EXPECT_EQ(server("ssl_protocols TLSv1.2; ssl_protocols TLSv1.2 TLSv1.3;").ssl.protocols,
              (Strings{"TLSv1.2", "TLSv1.3"}));
    EXPECT_EQ(warnings_, Strings{"warn: duplicate value \"TLSv1.2\" in t.conf:5"});
    EXPECT_EQ(server_error("ssl_protocols TLSv1.4;").find("invalid value \"TLSv1.4\""), 0u);
}

}  // namespace
}  // namespace postern::config
