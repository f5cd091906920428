#include "net/hosts_file.h"

#include <gtest/gtest.h>

namespace postern::net {
namespace {

std::string found(std::string_view text, std::string_view name)
{
    std::string result;
    for (const SocketAddress& address : addresses_in_hosts(text, name)) {
        result += (result.empty() ? "" : " ") + address.ip_text();
    }
    return result;
}

constexpr std::string_view kText =
    "# a comment\n"
    "127.0.0.1\tlocalhost\n"
    "::1 localhost ip6-localhost\r\n"
    "  192.0.2.1   mail.example.test mail # not.this\n"
    "192.0.2.2 MAIL\n"
    "192.0.2.1 mail\n"
    "nonsense mail\n"
    "192.0.2.300 mail\n"
    "192.0.2.9\n"
    "192.0.2.4 last";

TEST(HostsFile, AllAddressesOfAName)
{
    EXPECT_EQ(found(kText, "localhost"), "127.0.0.1 ::1");
    EXPECT_EQ(found(kText, "Mail"), "192.0.2.1 192.0.2.2");
    EXPECT_EQ(found(kText, "mail.example.test"), "192.0.2.1");
    EXPECT_EQ(found(kText, "last"), "192.0.2.4");
}

TEST(HostsFile, NothingElse)
{
    for (const char* name : {"not.this", "example.test", "192.0.2.1", "", "#", "mai", "mail."}) {
        EXPECT_EQ(found(kText, name), "") << name;
    }
    EXPECT_EQ(found("", "mail"), "");
    EXPECT_EQ(found("\n\n#\n \n", "mail"), "");
}

TEST(HostsFile, LocalhostIsThisMachine)  // RFC 6761 section 6.3
{
    HostsFile file;
    EXPECT_FALSE(file.addresses("localhost", Clock::now()).empty());
    EXPECT_EQ(file.addresses("any.LOCALHOST", Clock::now()).size(), 2u);
    EXPECT_TRUE(file.addresses("localhost.example.test", Clock::now()).empty());
}

}  // namespace
}  // namespace postern::net
