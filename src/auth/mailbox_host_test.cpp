#include "auth/mailbox_host.h"

#include <gtest/gtest.h>

#include <string>

namespace postern::auth {
namespace {

using namespace std::string_literals;

TEST(MailboxHost, IsAnAddressANameOrASocket)
{
    for (const auto* text :
         {"127.0.0.1", "::1", "2001:db8::25", "imap", "imap.example.com", "imap.example.com.",
          "_a-1.example", "1.2.3.example", "unix:/run/dovecot/imap"}) {
        EXPECT_TRUE(is_mailbox_host(text)) << text;
    }
}

TEST(MailboxHost, IsNothingElse)
{
    for (const auto& text : {""s,           "."s,         "a..b"s,   ".a"s,        "-a"s,
                             "a b"s,        " a"s,        "a\r\nb"s, "a\0"s,       "a/b"s,
                             "a:143"s,      "[::1]"s,     "10.0.0"s, "1.2.3.256"s, "127.0.0.1 "s,
                             "example.1"s,  "b\xc3\xbc"s, "%s"s,     "unix:"s,     "unix:relative"s,
                             "unix:/a\nb"s, "unix:/a\0b"s}) {
        EXPECT_FALSE(is_mailbox_host(text)) << text;
    }
}

TEST(MailboxHost, HasLimits)
{
    EXPECT_TRUE(is_mailbox_host(std::string(63, 'a')));
    EXPECT_FALSE(is_mailbox_host(std::string(64, 'a')));
    const std::string label = std::string(62, 'a') + ".";
    const std::string name = label + label + label + label;  // 252 bytes with the last dot
    EXPECT_TRUE(is_mailbox_host(name + "a"));
    EXPECT_FALSE(is_mailbox_host(name + "aa"));
    EXPECT_TRUE(is_mailbox_host("unix:/" + std::string(106, 'a')));
    EXPECT_FALSE(is_mailbox_host("unix:/" + std::string(107, 'a')));
}

}  // namespace
}  // namespace postern::auth
