#include "net/proxy_header.h"

#include <gtest/gtest.h>

#include "base/crc32c.h"

namespace postern::net {
namespace {

using namespace std::string_literals;

const std::string kSignature = "\r\n\r\n\0\r\nQUIT\n"s;

SocketAddress ip(const char* text, std::uint16_t port)
{
    return *SocketAddress::parse_ip(text, port);
}

std::string two(std::size_t number)
{
    return {static_cast<char>(number >> 8), static_cast<char>(number)};
}

// A header of version 2.
std::string v2(char command, char family, const std::string& rest)
{
    return kSignature + command + family + two(rest.size()) + rest;
}

const std::string kTcp4Block = "\x0a\0\0\x01\x0a\0\0\x02"s + "\x12\x34\0\x8f"s;  // 4660, 143

std::string why(std::string_view bytes)
{
    const auto result = parse_proxy_header(bytes);
    const auto* broken = std::get_if<ProxyHeaderBroken>(&result);
    return broken == nullptr ? "" : broken->why;
}

std::optional<ProxyHeader> parsed(std::string_view bytes)
{
    auto result = parse_proxy_header(bytes);
    auto* header = std::get_if<ProxyHeader>(&result);
    return header == nullptr ? std::nullopt : std::optional(std::move(*header));
}

TEST(ProxyHeaderV1, SaysWhoCalls)
{
    const std::string line = "PROXY TCP4 192.0.2.7 198.51.100.1 35646 143\r\n";
    const auto header = parsed(line + "a1 NOOP\r\n");
    ASSERT_TRUE(header && header->addresses);
    EXPECT_EQ(header->bytes, line.size());
    EXPECT_EQ(header->addresses->source, ip("192.0.2.7", 35646));
    EXPECT_EQ(header->addresses->destination, ip("198.51.100.1", 143));
    EXPECT_EQ(header->addresses->source_ip, "192.0.2.7");
    EXPECT_EQ(header->addresses->destination_ip, "198.51.100.1");
}

TEST(ProxyHeaderV1, KeepsAnAddressAsItWasWritten)
{
    const auto header = parsed("PROXY TCP6 2001:DB8:0:0::1 ::ffff:10.0.0.1 1 65535\r\n");
    ASSERT_TRUE(header && header->addresses);
    EXPECT_EQ(header->addresses->source_ip, "2001:DB8:0:0::1");
    EXPECT_EQ(header->addresses->source, ip("2001:db8::1", 1));
    EXPECT_EQ(header->addresses->destination_ip, "::ffff:10.0.0.1");
}

TEST(ProxyHeaderV1, UnknownIsPassedOver)
{
    for (const std::string line :
         {"PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", "PROXY UNKNOWN x\r\n"}) {
        const auto header = parsed(line);
        ASSERT_TRUE(header) << line;
        EXPECT_FALSE(header->addresses);
        EXPECT_EQ(header->bytes, line.size());
    }
}

TEST(ProxyHeader, EveryStartOfOneIsIncomplete)
{
    for (const std::string& whole : {"PROXY TCP4 192.0.2.7 198.51.100.1 35646 143\r\n"s,
                                     "PROXY UNKNOWN\r\n"s, v2(0x21, 0x11, kTcp4Block)}) {
        for (std::size_t i = 0; i < whole.size(); ++i) {
            EXPECT_TRUE(std::holds_alternative<ProxyHeaderIncomplete>(
                parse_proxy_header(whole.substr(0, i))))
                << i << " of " << whole;
        }
        EXPECT_TRUE(parsed(whole));
    }
}

TEST(ProxyHeaderV1, WhatIsWrongIsRefused)
{
    for (const std::string line :
         {"PROXY\r\n", "PROXY \r\n", "PROXY TCP5 1.1.1.1 2.2.2.2 1 2\r\n",
          "PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n", "PROXY TCP4 ...... 2.2.2.2 1 2\r\n",
          "PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n", "PROXY TCP4 ::1 ::2 1 2\r\n",
          "PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n", "PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n",
          "PROXY TCP4 1.1.1.1 2.2.2.2 -1 2\r\n", "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n",
          "PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n", "PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n",
          "PROXY unknown\r\n", "PROXY UNKNOWNX\r\n"}) {
        const std::string text = line.substr(0, line.find_first_of("\r\n"));
        EXPECT_EQ(why(line), "broken header: \"" + text + "\"");
    }
    EXPECT_EQ(why("EHLO x\r\n"), "broken header: \"EHLO x\"");
    EXPECT_EQ(why("proxy TCP4"), "broken header: \"proxy TCP4\"");
}

TEST(ProxyHeaderV1, HasALongestLine)
{
    const std::string start = "PROXY UNKNOWN ";
    const std::string longest = start + std::string(105 - start.size(), 'x') + "\r\n";
    ASSERT_EQ(longest.size(), 107u);
    EXPECT_TRUE(parsed(longest));
    const std::string longer = start + std::string(106 - start.size(), 'x') + "\r\n";
    EXPECT_EQ(why(longer).substr(0, 31), "broken header: \"PROXY UNKNOWN x");
    EXPECT_EQ(why(longer.substr(0, 106)), "");  // it could still end
    EXPECT_NE(why(longer.substr(0, 107)), "");
}

TEST(ProxyHeaderV2, SaysWhoCalls)
{
    const std::string bytes = v2(0x21, 0x11, kTcp4Block);
    const auto header = parsed(bytes + "EHLO");
    ASSERT_TRUE(header && header->addresses);
    EXPECT_EQ(header->bytes, bytes.size());
    EXPECT_EQ(header->addresses->source, ip("10.0.0.1", 4660));
    EXPECT_EQ(header->addresses->destination, ip("10.0.0.2", 143));
    EXPECT_EQ(header->addresses->source_ip, "10.0.0.1");

    const std::string six =
        std::string(15, '\0') + "\x01" + std::string(15, '\0') + "\x02" + "\0\x01\0\x02"s;
    const auto header6 = parsed(v2(0x21, 0x21, six));
    ASSERT_TRUE(header6 && header6->addresses);
    EXPECT_EQ(header6->addresses->source, ip("::1", 1));
    EXPECT_EQ(header6->addresses->destination, ip("::2", 2));
}

TEST(ProxyHeaderV2, WhatIsNotOfTcpIsPassedOver)
{
    for (const auto& [command, family] :
         {std::pair{0x20, 0x00}, {0x20, 0x11}, {0x21, 0x00}, {0x21, 0x12}, {0x21, 0x31}}) {
        const std::string bytes =
            v2(static_cast<char>(command), static_cast<char>(family), kTcp4Block);
        const auto header = parsed(bytes);
        ASSERT_TRUE(header) << command << " " << family;
        EXPECT_FALSE(header->addresses);
        EXPECT_EQ(header->bytes, bytes.size());
    }
}

TEST(ProxyHeaderV2, WhatIsWrongIsRefused)
{
    EXPECT_EQ(why(kSignature + "\x11"), "unknown PROXY protocol version: 1");
    EXPECT_EQ(why(kSignature + "\x31"), "unknown PROXY protocol version: 3");
    const std::string invalid = "invalid PROXY protocol version 2 header";
    EXPECT_EQ(why(v2(0x21, 0x11, kTcp4Block.substr(1))), invalid);
    EXPECT_EQ(why(v2(0x21, 0x21, kTcp4Block)), invalid);
    // What follows the addresses is cut off, or longer than the header.
    EXPECT_NE(why(v2(0x21, 0x11, kTcp4Block + "\x04")), "");
    EXPECT_NE(why(v2(0x21, 0x11, kTcp4Block + "\x04\0\x02x"s)), "");
    EXPECT_EQ(why(v2(0x21, 0x11, kTcp4Block + "\x04\0\x01x"s)), "");
}

TEST(ProxyHeaderV2, HasALargestSize)
{
    const auto with = [](std::size_t size) {
        const std::size_t rest = size - 16 - kTcp4Block.size() - 3;
        return v2(0x21, 0x11, kTcp4Block + "\x04" + two(rest) + std::string(rest, 'x'));
    };
    EXPECT_TRUE(parsed(with(ProxyHeader::kBytesMax)));
    EXPECT_EQ(why(with(ProxyHeader::kBytesMax + 1)), "header is too large");
    EXPECT_EQ(why(with(60000).substr(0, 16)), "header is too large");
}

TEST(ProxyHeaderV2, AWrongChecksumIsRefused)
{
    std::string bytes = proxy_header_v2(ip("10.0.0.1", 4660), ip("10.0.0.2", 143), nullptr);
    EXPECT_TRUE(parsed(bytes));
    for (const std::size_t at : {std::size_t{16}, bytes.size() - 1}) {
        std::string wrong = bytes;
        wrong[at] ^= 1;
        EXPECT_EQ(why(wrong), "invalid PROXY protocol version 2 header") << at;
    }
}

TEST(ProxyHeaderToBackends, Version1)
{
    EXPECT_EQ(proxy_header_v1(ip("192.0.2.7", 1), ip("198.51.100.1", 143)),
              "PROXY TCP4 192.0.2.7 198.51.100.1 1 143\r\n");
    EXPECT_EQ(proxy_header_v1(ip("::1", 1), ip("::2", 143)), "PROXY TCP6 ::1 ::2 1 143\r\n");
    EXPECT_EQ(proxy_header_v1(SocketAddress::unix_path("/x"), SocketAddress::unix_path("/y")),
              "PROXY UNKNOWN\r\n");
    // Mixed families.
    EXPECT_EQ(proxy_header_v1(ip("192.0.2.7", 1), ip("::2", 143)),
              "PROXY TCP6 ::ffff:192.0.2.7 ::2 1 143\r\n");
    EXPECT_EQ(proxy_header_v1(ip("::ffff:192.0.2.7", 1), ip("::ffff:192.0.2.8", 143)),
              "PROXY TCP4 192.0.2.7 192.0.2.8 1 143\r\n");
}

TEST(ProxyHeaderToBackends, Version2)
{
    const std::string plain = proxy_header_v2(ip("10.0.0.1", 4660), ip("10.0.0.2", 143), nullptr);
    const std::string without_sum = v2(0x21, 0x11, kTcp4Block + "\x03\0\x04\0\0\0\0"s);
    EXPECT_EQ(plain.substr(0, plain.size() - 4), without_sum.substr(0, without_sum.size() - 4));
    const std::uint32_t sum = crc32c(without_sum);
    EXPECT_EQ(plain.substr(plain.size() - 4), two(sum >> 16) + two(sum & 0xffff));

    const std::string local = proxy_header_v2(SocketAddress::unix_path("/x"), {}, nullptr);
    EXPECT_EQ(local.substr(0, 16), kSignature + "\x20"s + "\0\0\x07"s);
    EXPECT_TRUE(parsed(local));
}

TEST(ProxyHeaderToBackends, Version2TellsOfTls)
{
    const tls::Facts facts{.server_name = "mail.test",
                           .alpn = "imap",
                           .version = "TLSv1.3",
                           .cipher = "C",
                           .signature_algorithm = "S",
                           .key_algorithm = "K",
                           .common_name = "bob",
                           .certificate_in_session = true,
                           .certificate_in_connection = true,
                           .verify = 0};
    const std::string header = proxy_header_v2(ip("::1", 1), ip("::2", 2), &facts);
    const std::string ssl = "\x07\0\0\0\0"s + "\x21\0\x07TLSv1.3"s + "\x22\0\x03"s + "bob" +
                            "\x23\0\x01"s + "C" + "\x24\0\x01S"s + "\x25\0\x01K"s;
    const std::string wanted =
        "\x02\0\x09mail.test"s + "\x01\0\x04imap"s + "\x20" + two(ssl.size()) + ssl + "\x03\0\x04"s;
    EXPECT_EQ(header.substr(16 + 36, wanted.size()), wanted);
    EXPECT_EQ(header.size(), 16 + 36 + wanted.size() + 4);
    EXPECT_TRUE(parsed(header));
}

}  // namespace
}  // namespace postern::net
