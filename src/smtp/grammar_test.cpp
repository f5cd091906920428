#include "smtp/grammar.h"

#include <gtest/gtest.h>

#include "base/base64.h"
#include "base/line.h"

namespace postern::smtp {
namespace {

using namespace std::string_view_literals;
using Words = std::vector<std::string_view>;
using Strings = std::vector<std::string>;

TEST(SmtpCommand, EveryVerbInAnyCase)
{
    const std::pair<std::string_view, Verb> kVerbs[] = {
        {"HELO x", Verb::helo}, {"ehlo x", Verb::ehlo}, {"Auth PLAIN", Verb::auth},
        {"mail x", Verb::mail}, {"RCPT x", Verb::rcpt}, {"rset", Verb::rset},
        {"NOOP", Verb::noop},   {"quit", Verb::quit},   {"StartTLS", Verb::starttls},
        {"VRFY x", Verb::vrfy}, {"expn", Verb::expn},   {"HELP", Verb::help},
    };
    for (const auto& [line, verb] : kVerbs) {
        ASSERT_TRUE(parse_command(line)) << line;
        EXPECT_EQ(parse_command(line)->verb, verb) << line;
    }
}

TEST(SmtpCommand, OthersAreSyntaxErrors)
{
    for (const auto line : {""sv, " "sv, " NOOP"sv, "DATA"sv, "BDAT 3"sv, "ETRN x"sv, "NOO"sv,
                            "NOOPS"sv, "STARTTL"sv, "STARTTLSX"sv, "NO0P"sv, "NOOP\tx"sv,
                            "NOOP\0"sv, "MAIL:<x>"sv, "\xc3\xa9HLO x"sv, "GET / HTTP/1.0"sv}) {
        EXPECT_FALSE(parse_command(line)) << line;
    }
}

TEST(SmtpCommand, CrMayOnlyStandBeforeLf)
{
    for (const auto line : {"NOOP\r"sv, "\rNOOP"sv, "EHLO x\r"sv, "MAIL FROM:<a\rb>"sv}) {
        EXPECT_FALSE(parse_command(line));
    }
}

TEST(SmtpCommand, AtMostElevenArguments)
{
    EXPECT_EQ(parse_command("NOOP 1 2 3 4 5 6 7 8 9 10 11 ")->arguments.size(), 11u);
    EXPECT_FALSE(parse_command("NOOP 1 2 3 4 5 6 7 8 9 10 11 12"));
    EXPECT_FALSE(parse_command("MAIL 1 2 3 4 5 6 7 8 9 10 11 12"));
}

TEST(SmtpCommand, ArgumentsAreSeparatedBySpacesOnly)
{
    EXPECT_EQ(parse_command("EHLO  a\tb ")->arguments, Words{"a\tb"});
}

TEST(SmtpCommand, TextIsAsTyped)
{
    EXPECT_EQ(parse_command("mail from:<s@x>  SIZE=9  ")->text, "mail from:<s@x>  SIZE=9");
    EXPECT_EQ(parse_command("RCPT TO:<\xc3\xa9@x>\t")->text, "RCPT TO:<\xc3\xa9@x>\t");
    EXPECT_EQ(parse_command("MAIL  ")->text, "MAIL");
}

TEST(SmtpRefusal, ArgumentsThatTheVerbDoesNotTake)
{
    const auto right = [](std::string_view line) {
        return parse_command(line)->has_right_arguments();
    };
    for (const auto line :
         {"HELO", "EHLO ", "HELO a b", "EHLO a b", "AUTH", "AUTH ", "MAIL", "RCPT "}) {
        EXPECT_FALSE(right(line)) << line;
    }
    for (const auto line : {"HELO x", "EHLO [::1]", "AUTH PLAIN", "AUTH PLAIN a b", "MAIL x",
                            "RCPT x", "MAIL FROM:<> SIZE=1", "RSET x", "NOOP x", "QUIT x",
                            "STARTTLS x", "VRFY", "EXPN", "HELP", "RSET"}) {
        EXPECT_TRUE(right(line)) << line;
    }
}

TEST(SmtpRefusal, NulInWhatGoesIntoHttpHeaders)  // RFC 9110 section 5.5
{
    for (const auto line : {"HELO a\0b"sv, "EHLO \0"sv, "MAIL FROM:<a\0@x>"sv, "RCPT TO:<a>\0"sv}) {
        ASSERT_TRUE(parse_command(line));
        EXPECT_FALSE(parse_command(line)->has_right_arguments());
    }
    EXPECT_TRUE(parse_command("NOOP \0"sv)->has_right_arguments());
    EXPECT_TRUE(parse_command("EHLO \x01\x7f\xff"sv)->has_right_arguments());
}

TEST(SmtpCommand, CutAnywhereIsTheSame)
{
    constexpr auto kText = "MAIL FROM:<a@b> \r\n"sv;
    for (std::size_t size = 0; size < kText.size(); ++size) {
        EXPECT_FALSE(next_line(kText.substr(0, size))) << size;
    }
    EXPECT_EQ(parse_command(next_line(kText)->text)->text, "MAIL FROM:<a@b>");
}

TEST(SmtpHostile, LongLines)
{
    const std::string parentheses(100'000, '(');
    EXPECT_FALSE(parse_command(parentheses));
    EXPECT_EQ(parse_command("EHLO " + parentheses)->arguments.size(), 1u);
    EXPECT_TRUE(parse_command("EHLO" + std::string(65'536, ' '))->arguments.empty());
    EXPECT_FALSE(parse_command(std::string(65'536, '\0')));
    std::string many = "NOOP";
    for (int i = 0; i < 30'000; ++i) {
        many += " x";
    }
    EXPECT_FALSE(parse_command(many));
}

TEST(SmtpReplies, WithTheServersName)
{
    EXPECT_EQ(greeting("mail.test"), "220 mail.test ESMTP ready\r\n");
    EXPECT_EQ(helo_reply("mail.test"), "250 mail.test\r\n");
    EXPECT_EQ(prompt(""), "334 \r\n");
    EXPECT_EQ(prompt("VXNlcm5hbWU6"), "334 VXNlcm5hbWU6\r\n");
}

TEST(SmtpEhlo, OffersAuth)
{
    constexpr Mechanisms kPlainLogin = {.plain = true, .login = true};
    EXPECT_EQ(ehlo_reply("mail.test", {}, kPlainLogin, {}),
              "250-mail.test\r\n250 AUTH PLAIN LOGIN\r\n");
    EXPECT_EQ(ehlo_reply("mail.test", {},
                         {.plain = true, .login = true, .cram_md5 = true, .external = true},
                         {StartTls::only, true}),
              "250-mail.test\r\n250 AUTH PLAIN LOGIN CRAM-MD5 EXTERNAL\r\n");
}

TEST(SmtpEhlo, OffersStartTls)
{
    const Strings words = {"SIZE 10485760", "DSN"};
    constexpr Mechanisms kPlain = {.plain = true};
    EXPECT_EQ(
        ehlo_reply("mail.test", words, kPlain, {StartTls::on, false}),
        "250-mail.test\r\n250-SIZE 10485760\r\n250-DSN\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n");
    EXPECT_EQ(ehlo_reply("mail.test", words, kPlain, {StartTls::only, false}),
              "250-mail.test\r\n250-SIZE 10485760\r\n250-DSN\r\n250 STARTTLS\r\n");
    EXPECT_EQ(ehlo_reply("mail.test", words, kPlain, {StartTls::on, true}),
              "250-mail.test\r\n250-SIZE 10485760\r\n250-DSN\r\n250 AUTH PLAIN\r\n");
}

TEST(SmtpEhlo, LastLineHasNoHyphen)
{
    EXPECT_EQ(ehlo_reply("mail.test", {}, {.none = true}, {}), "250 mail.test\r\n");
    EXPECT_EQ(ehlo_reply("mail.test", Strings{"DSN"}, {.none = true}, {}),
              "250-mail.test\r\n250 DSN\r\n");
}

TEST(SmtpEhlo, IsAReplyThatWeCanRead)
{
    const std::string text = ehlo_reply("mail.test", Strings{"DSN"}, {.plain = true}, {});
    EXPECT_EQ(parse_reply(text)->code, 250u);
    EXPECT_EQ(parse_reply(text)->consumed, text.size());
}

TEST(SmtpBackend, RepliesOfOneLine)
{
    EXPECT_EQ(parse_reply("220 mail ESMTP\r\n")->code, 220u);
    EXPECT_EQ(parse_reply("250\r\n")->code, 250u);
    EXPECT_EQ(parse_reply("250 \r\n")->code, 250u);
    EXPECT_EQ(parse_reply("599 x\r\n")->code, 599u);
    EXPECT_EQ(parse_reply("235 ok\r\n250 next\r\n")->text, "235 ok\r\n");
}

TEST(SmtpBackend, RepliesOfSeveralLines)
{
    constexpr auto kText = "250-mail\r\n250-SIZE 1\r\n250 DSN\r\n"sv;
    EXPECT_EQ(parse_reply(kText)->code, 250u);
    EXPECT_EQ(parse_reply(kText)->text, kText);
    EXPECT_EQ(parse_reply(std::string(kText) + "220 next")->consumed, kText.size());
    for (std::size_t size = 0; size < kText.size(); ++size) {
        EXPECT_FALSE(parse_reply(kText.substr(0, size))) << size;
    }
}

TEST(SmtpBackend, WhatIsNoReply)
{
    for (const auto text :
         {"\r\n"sv, "25\r\n"sv, "25x ok\r\n"sv, "2500 ok\r\n"sv, "250ok\r\n"sv, "199 x\r\n"sv,
          "600 x\r\n"sv, "000 x\r\n"sv, "+25 x\r\n"sv, "-25 x\r\n"sv, " 250 x\r\n"sv,
          "* OK imap\r\n"sv, "250-a\r\n550 b\r\n"sv, "250-a\r\nb\r\n"sv, "250\0x\r\n"sv}) {
        ASSERT_TRUE(parse_reply(text));
        EXPECT_EQ(parse_reply(text)->code, 0u) << text;
        EXPECT_EQ(parse_reply(text)->text, text);
    }
    EXPECT_FALSE(parse_reply("250 ok\n"));
    EXPECT_FALSE(parse_reply("250 ok\r"));
}

TEST(SmtpBackend, OffersWhatItsEhloReplyLists)
{
    const auto offers_tls = [](std::string_view text) {
        return extension(parse_reply(text)->text, "STARTTLS").has_value();
    };
    EXPECT_TRUE(offers_tls("250-mail\r\n250-STARTTLS\r\n250 DSN\r\n"));
    EXPECT_TRUE(offers_tls("250-mail\r\n250-DSN\r\n250 STARTTLS\r\n"));
    EXPECT_TRUE(offers_tls("250-mail\r\n250 starttls\r\n"));
    EXPECT_TRUE(offers_tls("250-mail\r\n250-\r\n250 STARTTLS \r\n"));
    EXPECT_FALSE(offers_tls("250 STARTTLS\r\n"));  // that is its name
    EXPECT_FALSE(offers_tls("250-STARTTLS\r\n250 DSN\r\n"));
    EXPECT_FALSE(offers_tls("250-mail\r\n250-STARTTLSX\r\n250-XSTARTTLS\r\n250 X STARTTLS\r\n"));
    EXPECT_FALSE(offers_tls("250-mail\r\n250-START\r\n250-\r\n250\r\n"));
    // Of this reply only, whatever has come with it.
    EXPECT_FALSE(offers_tls("250-mail\r\n250 DSN\r\n250-mail\r\n250 STARTTLS\r\n"));
}

TEST(SmtpBackend, OffersComeWithTheirParameters)
{
    const std::string_view reply =
        "250-mail\r\n250-SIZE 10\r\n250-xclient  NAME ADDR \r\n250 DSN\r\n";
    EXPECT_EQ(extension(reply, "XCLIENT"), "NAME ADDR");
    EXPECT_EQ(extension(reply, "SIZE"), "10");
    EXPECT_EQ(extension(reply, "DSN"), "");
    EXPECT_EQ(extension(reply, "NAME"), std::nullopt);
}

TEST(SmtpBackend, Hello)
{
    EXPECT_EQ(hello_command(true, "mail.test"), "EHLO mail.test\r\n");
    EXPECT_EQ(hello_command(false, "mail.test"), "HELO mail.test\r\n");
}

TEST(SmtpBackend, AuthPlain)  // RFC 4616
{
    const auto command = auth_plain_command("bob", "p w");
    ASSERT_TRUE(command);
    EXPECT_EQ(command->reveal(), "AUTH PLAIN " + base64_encode("\0bob\0p w"sv) + "\r\n");
    EXPECT_EQ(auth_plain_command("", "")->reveal(), "AUTH PLAIN AAA=\r\n");
}

TEST(SmtpBackend, KeptCommandGoesAsItCame)
{
    EXPECT_EQ(kept_command("mail from:<s@x>  SIZE=9"), "mail from:<s@x>  SIZE=9\r\n");
}

TEST(SmtpBackend, CommandsCannotInject)
{
    for (const auto bad : {"x\r\nDATA"sv, "x\nDATA"sv, "x\r"sv, "x\0"sv}) {
        EXPECT_FALSE(hello_command(true, bad));
        EXPECT_FALSE(kept_command(bad));
        EXPECT_FALSE(auth_plain_command(bad, "pw"));
        EXPECT_FALSE(auth_plain_command("bob", bad));
    }
}

TEST(SmtpCommand, VerbsHaveNames)
{
    for (const std::string_view name : {"HELO", "EHLO", "AUTH", "MAIL", "RCPT", "RSET", "NOOP",
                                        "QUIT", "VRFY", "EXPN", "HELP", "STARTTLS"}) {
        EXPECT_EQ(to_string(parse_command(name)->verb), name);
    }
}

}  // namespace
}  // namespace postern::smtp
