#include "smtp/xclient.h"

#include <gtest/gtest.h>

#include <cstdio>

namespace postern::smtp {
namespace {

using namespace std::literals;
using Commands = std::vector<std::string>;

constexpr auto kPostfix = "NAME ADDR PROTO HELO LOGIN PORT DESTADDR DESTPORT";

class SmtpXclient : public testing::Test
{
protected:
    std::string command(std::optional<std::string_view> offered) const
    {
        const auto commands = xclient_commands(facts_, offered);
        EXPECT_EQ(commands.size(), 1u);
        return commands.front();
    }

    ClientFacts facts_{.address = *SocketAddress::parse_ip("192.0.2.1", 4000),
                       .listener = *SocketAddress::parse_ip("192.0.2.25", 587),
                       .login = "bob",
                       .host = "host.test",
                       .helo = "me",
                       .extended = true};
};

TEST_F(SmtpXclient, WhoeverDoesNotOfferItIsToldWhatNginxTells)
{
    EXPECT_EQ(command(std::nullopt), "XCLIENT ADDR=192.0.2.1 LOGIN=bob NAME=host.test\r\n");
    EXPECT_EQ(command(""), "XCLIENT ADDR=192.0.2.1 LOGIN=bob NAME=host.test\r\n");
    EXPECT_EQ(command("FUTURE WORDS"), "XCLIENT ADDR=192.0.2.1 LOGIN=bob NAME=host.test\r\n");
    EXPECT_EQ(command("NAME ADDR LOGIN"), "XCLIENT ADDR=192.0.2.1 LOGIN=bob NAME=host.test\r\n");
    facts_.login.clear();
    facts_.host = "[UNAVAILABLE]";
    EXPECT_EQ(command(std::nullopt), "XCLIENT ADDR=192.0.2.1 NAME=[UNAVAILABLE]\r\n");
}

TEST_F(SmtpXclient, WhoeverOffersMoreIsToldMore)
{
    EXPECT_EQ(command(kPostfix),
              "XCLIENT ADDR=192.0.2.1 LOGIN=bob NAME=host.test PORT=4000 HELO=me PROTO=ESMTP "
              "DESTADDR=192.0.2.25 DESTPORT=587\r\n");
    EXPECT_EQ(command("name addr login port"),
              "XCLIENT ADDR=192.0.2.1 LOGIN=bob NAME=host.test PORT=4000\r\n");
    facts_.extended = false;
    EXPECT_EQ(command("NAME ADDR LOGIN PROTO OTHER"),
              "XCLIENT ADDR=192.0.2.1 LOGIN=bob NAME=host.test PROTO=SMTP\r\n");
}

TEST_F(SmtpXclient, WhatIsNotListedIsNotTold)
{
    EXPECT_EQ(command("NAME ADDR"), "XCLIENT ADDR=192.0.2.1 NAME=host.test\r\n");
    EXPECT_EQ(command("LOGIN"), "XCLIENT ADDR=192.0.2.1 LOGIN=bob\r\n");
    // Else the server would take the client for us.
    EXPECT_EQ(command("PORT"), "XCLIENT ADDR=192.0.2.1 PORT=4000\r\n");
}

TEST_F(SmtpXclient, WhatNobodyKnowsIsUnavailable)
{
    facts_.address = SocketAddress::unix_path("/run/x");
    facts_.listener = SocketAddress();
    facts_.login = facts_.helo = "";
    facts_.host = "[TEMPUNAVAIL]";
    EXPECT_EQ(command(std::nullopt), "XCLIENT ADDR=unix: NAME=[TEMPUNAVAIL]\r\n");
    EXPECT_EQ(command(kPostfix),
              "XCLIENT ADDR=[UNAVAILABLE] NAME=[TEMPUNAVAIL] PORT=[UNAVAILABLE] "
              "HELO=[UNAVAILABLE] PROTO=ESMTP DESTADDR=[UNAVAILABLE] DESTPORT=[UNAVAILABLE]\r\n");
}

TEST_F(SmtpXclient, Ipv6AddressesHaveAPrefix)
{
    facts_.address = *SocketAddress::parse_ip("::1", 4000);
    facts_.listener = *SocketAddress::parse_ip("2001:db8::1", 25);
    EXPECT_EQ(command("ADDR DESTADDR"), "XCLIENT ADDR=IPV6:::1 DESTADDR=IPV6:2001:db8::1\r\n");
}

TEST_F(SmtpXclient, ValuesAreXtext)
{
    facts_.login = "b ob+=";
    facts_.helo = "m\xf6";
    EXPECT_EQ(command("ADDR LOGIN HELO"),
              "XCLIENT ADDR=192.0.2.1 LOGIN=b+20ob+2B+3D HELO=m+F6\r\n");
}

TEST_F(SmtpXclient, AHeloThatIsTooLongIsLeftToEhlo)  // XCLIENT_README, note 1
{
    facts_.helo = std::string(255, 'x');
    EXPECT_NE(command("ADDR HELO").find(" HELO=" + facts_.helo + "\r\n"), std::string::npos);
    facts_.helo += 'x';
    EXPECT_TRUE(command("ADDR HELO").ends_with(" HELO=[UNAVAILABLE]\r\n"));
    facts_.helo = std::string(86, '=');  // 258 as xtext
    EXPECT_TRUE(command("ADDR HELO").ends_with(" HELO=[UNAVAILABLE]\r\n"));
}

TEST_F(SmtpXclient, TooLongForOneCommandIsTwoAndTheAddressComesLast)
{
    facts_.helo = std::string(255, 'x');
    facts_.host = std::string(211, 'h');
    EXPECT_EQ(command("ADDR LOGIN NAME HELO").size(), 512u);
    facts_.host += 'h';
    const Commands two{"XCLIENT HELO=" + facts_.helo + "\r\n",
                       "XCLIENT ADDR=192.0.2.1 LOGIN=bob NAME=" + facts_.host + "\r\n"};
    EXPECT_EQ(xclient_commands(facts_, "ADDR LOGIN NAME HELO"), two);
}

TEST_F(SmtpXclient, WhatNginxTellsStaysOneCommand)
{
    facts_.login = std::string(600, 'x');
    EXPECT_EQ(command(std::nullopt),
              "XCLIENT ADDR=192.0.2.1 LOGIN=" + facts_.login + " NAME=host.test\r\n");
    EXPECT_EQ(xclient_commands(facts_, kPostfix).size(), 2u);
}

TEST_F(SmtpXclient, NothingCanInject)
{
    for (const auto bad : {"x\r\nDATA"sv, "x\nDATA"sv, "x\r"sv, "x\0"sv}) {
        facts_.login = facts_.host = facts_.helo = bad;
        for (const std::string& command : xclient_commands(facts_, kPostfix)) {
            EXPECT_EQ(command.find_first_of("\r\n\0"sv), command.size() - 2);
        }
    }
}

TEST(SmtpXtext, EncodesEachByteThatNeedsIt)
{
    EXPECT_EQ(xtext(""), "");
    for (unsigned byte = 0; byte < 256; ++byte) {
        const std::string text(1, static_cast<char>(byte));
        const bool plain = byte >= 0x21 && byte <= 0x7e && byte != '+' && byte != '=';
        char hex[4];
        std::snprintf(hex, sizeof hex, "+%02X", byte);
        EXPECT_EQ(xtext(text), plain ? text : hex);
    }
}

}  // namespace
}  // namespace postern::smtp
