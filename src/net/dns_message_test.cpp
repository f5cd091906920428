#include "net/dns_message.h"

#include <ares.h>
#include <gtest/gtest.h>

namespace postern::net {
namespace {

using namespace std::literals;

const std::string kHeader = "\x12\x34\x81\x80\0\x01"s;  // one question
const std::string kQuestion =
    "\x01"
    "1\x02"
    "in\0\0\x0c\0\x01"s;
const std::string kOwner = "\xc0\x0c"s;

std::string record(std::string_view type, std::string_view ttl, const std::string& data)
{
    return kOwner + '\0' + std::string(type) + "\0\x01"s + std::string(ttl) + '\0' +
           static_cast<char>(data.size()) + data;
}
const std::string kPtr = record("\x0c", "\0\0\x01\0"sv,
                                "\x01"
                                "a\x04test\0"s);
const std::string kCname = record("\x05", "\0\0\0\x01"sv,
                                  "\x01"
                                  "c\x04test\0"s);

std::string message(char count, const std::string& records)
{
    return kHeader + '\0' + count + "\0\0\0\0"s + kQuestion + records;
}
std::string name(const std::string& text)
{
    const auto read = read_dns_answer(DnsType::ptr, ARES_SUCCESS, text);
    return read ? read->name : read.error().text();
}

TEST(DnsAnswer, Ptr)
{
    EXPECT_EQ(name(message(1, kPtr)), "a.test");
    EXPECT_EQ(read_dns_answer(DnsType::ptr, ARES_SUCCESS, message(1, kPtr))->ttl, 256s);
    EXPECT_EQ(name(message(2, kCname + kPtr)), "a.test");  // RFC 2317
    EXPECT_EQ(name(message(1, kCname)), "3: Host not found");
    EXPECT_EQ(name(message(0, "")), "3: Host not found");
}

TEST(DnsAnswer, OddBytesOfNamesAreEscaped)
{
    const std::string odd = record("\x0c", "\0\0\0\0"sv, "\x04x\r\n.\x04test\0"s);
    EXPECT_EQ(name(message(1, odd)), "x\\013\\010\\..test");
}

TEST(DnsAnswer, CutShortAnywhereIsNone)
{
    const std::string whole = message(2, kCname + kPtr);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        for (const DnsType type : {DnsType::a, DnsType::aaaa, DnsType::ptr}) {
            EXPECT_FALSE(read_dns_answer(type, ARES_SUCCESS, std::string(whole, 0, size)));
        }
    }
    EXPECT_EQ(name(message(1, "")), "1: Format error");
    EXPECT_EQ(name(message(1, record("\x0c", "\0\0\0\0"sv, "\xc0\xff"s))), "1: Format error");
}

TEST(DnsAnswer, NamesThatPointToThemselvesEnd)
{
    const std::string whole = message(1, kPtr);
    const auto loop = static_cast<char>(whole.size() - 8);
    std::string text = whole;
    text.replace(text.size() - 8, 2, "\xc0"s + loop);
    EXPECT_EQ(name(text), "1: Format error");
}

TEST(DnsAnswer, ReverseNames)
{
    EXPECT_EQ(reverse_name(*SocketAddress::parse_ip("192.0.2.1", 0)), "1.2.0.192.in-addr.arpa");
    EXPECT_EQ(reverse_name(*SocketAddress::parse_ip("2001:db8::f", 0)),
              "f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}

}  // namespace
}  // namespace postern::net
