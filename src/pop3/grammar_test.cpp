#include "pop3/grammar.h"

#include <gtest/gtest.h>

#include "base/line.h"

namespace postern::pop3 {
namespace {

using namespace std::string_view_literals;
using Words = std::vector<std::string_view>;

Words arguments(std::string_view line)
{
    const auto command = parse_command(line);
    return command ? command->arguments : Words{"syntax error"};
}

TEST(Pop3Command, EveryVerbInAnyCase)
{
    EXPECT_EQ(parse_command("USER bob")->verb, Verb::user);
    EXPECT_EQ(parse_command("pass pw")->verb, Verb::pass);
    EXPECT_EQ(parse_command("Apop bob 00")->verb, Verb::apop);
    EXPECT_EQ(parse_command("auth")->verb, Verb::auth);
    EXPECT_EQ(parse_command("CAPA")->verb, Verb::capa);
    EXPECT_EQ(parse_command("sTLS")->verb, Verb::stls);
    EXPECT_EQ(parse_command("NOOP")->verb, Verb::noop);
    EXPECT_EQ(parse_command("quit")->verb, Verb::quit);
}

TEST(Pop3Command, OthersAreSyntaxErrors)
{
    for (const auto line : {""sv, " "sv, " NOOP"sv, "STAT"sv, "LIST"sv, "RETR 1"sv, "DELE 1"sv,
                            "RSET"sv, "TOP 1 1"sv, "UIDL"sv, "NOO"sv, "NOOPS"sv, "NO0P"sv,
                            "NOOP\tx"sv, "NOOP\0"sv, "\0NOOP"sv, "US\xc3R bob"sv, "*"sv}) {
        EXPECT_FALSE(parse_command(line)) << line;
    }
}

TEST(Pop3Command, CrMayOnlyStandBeforeLf)
{
    for (const auto line : {"NOOP\r"sv, "\rNOOP"sv, "USER b\rob"sv, "PASS \r"sv, "NOOP x\ry"sv}) {
        EXPECT_FALSE(parse_command(line));
    }
}

TEST(Pop3Command, AtMostThreeArguments)
{
    EXPECT_EQ(arguments("NOOP 1 2 3"), (Words{"1", "2", "3"}));
    EXPECT_EQ(arguments("NOOP  1  2  3  "), (Words{"1", "2", "3"}));
    EXPECT_FALSE(parse_command("NOOP 1 2 3 4"));
    EXPECT_FALSE(parse_command("APOP 1 2 3 4"));
    EXPECT_TRUE(parse_command("PASS 1 2 3 4 5"));
}

TEST(Pop3Command, TabIsNoSeparator)
{
    EXPECT_EQ(arguments("APOP bob\t00 11"), (Words{"bob\t00", "11"}));
}

TEST(Pop3User, IsTheRestOfTheLine)
{
    EXPECT_EQ(arguments("USER bob smith"), Words{"bob smith"});
    EXPECT_EQ(arguments("USER   bob "), Words{"bob "});
    EXPECT_EQ(arguments("USER b\0\xff"sv), Words{"b\0\xff"sv});
}

TEST(Pop3Pass, KeepsInnerAndTrailingSpaces)  // RFC 1939 section 7
{
    EXPECT_EQ(arguments("PASS a b c "), Words{"a b c "});
    EXPECT_EQ(arguments("PASS   a  b"), Words{"a  b"});
    EXPECT_EQ(arguments("PASS \ta"), Words{"\ta"});
}

TEST(Pop3Refusal, ArgumentsThatTheVerbDoesNotTake)
{
    const auto right = [](std::string_view line) {
        return parse_command(line)->has_right_arguments();
    };
    EXPECT_TRUE(right("USER bob"));
    EXPECT_FALSE(right("USER"));
    EXPECT_FALSE(right("USER   "));
    EXPECT_TRUE(right("PASS pw"));
    EXPECT_FALSE(right("PASS"));
    EXPECT_FALSE(right("PASS "));
    EXPECT_FALSE(right("APOP bob"));
    EXPECT_TRUE(right("APOP bob 00"));
    EXPECT_FALSE(right("APOP bob 00 1"));
    EXPECT_TRUE(right("AUTH"));
    EXPECT_TRUE(right("AUTH PLAIN"));
    EXPECT_TRUE(right("AUTH PLAIN ="));
    EXPECT_FALSE(right("AUTH PLAIN = x"));
    for (const auto line : {"CAPA x y z", "STLS x", "NOOP x", "QUIT x"}) {
        EXPECT_TRUE(right(line)) << line;
    }
}

TEST(Pop3Command, CutAnywhereIsTheSame)
{
    constexpr auto kText = "PASS a b c \r\n"sv;
    for (std::size_t size = 0; size < kText.size(); ++size) {
        EXPECT_FALSE(next_line(kText.substr(0, size))) << size;
    }
    EXPECT_EQ(arguments(next_line(kText)->text), Words{"a b c "});
}

TEST(Pop3Hostile, LongLines)
{
    const std::string parentheses(100'000, '(');
    EXPECT_FALSE(parse_command(parentheses));
    EXPECT_EQ(arguments("USER " + parentheses).size(), 1u);
    EXPECT_EQ(arguments("NOOP" + std::string(65'536, ' ')), Words());
    EXPECT_FALSE(parse_command(std::string(65'536, '\0')));
    std::string many = "NOOP";
    for (int i = 0; i < 30'000; ++i) {
        many += " x";
    }
    EXPECT_FALSE(parse_command(many));
}

TEST(Pop3Greeting, HasAChallengeForApopAndCramMd5)
{
    EXPECT_FALSE(greets_with_challenge({.plain = true, .login = true, .external = true}));
    EXPECT_TRUE(greets_with_challenge({.apop = true}));
    EXPECT_TRUE(greets_with_challenge({.cram_md5 = true}));
    EXPECT_EQ(greeting(""), "+OK POP3 ready\r\n");
    EXPECT_EQ(greeting("<1.2@mail.test>"), "+OK POP3 ready <1.2@mail.test>\r\n");
}

TEST(Pop3Prompt, Texts)
{
    EXPECT_EQ(prompt(""), "+ \r\n");
    EXPECT_EQ(prompt("abcd"), "+ abcd\r\n");
}

TEST(Pop3AuthList, HasTheSaslMechanisms)
{
    EXPECT_EQ(auth_list({.plain = true}), "+OK methods supported:\r\nPLAIN\r\nLOGIN\r\n.\r\n");
    EXPECT_EQ(auth_list({.apop = true}), "+OK methods supported:\r\n.\r\n");
    EXPECT_EQ(auth_list({.plain = true, .apop = true, .cram_md5 = true, .external = true}),
              "+OK methods supported:\r\nPLAIN\r\nLOGIN\r\nCRAM-MD5\r\nEXTERNAL\r\n.\r\n");
}

class Pop3Capabilities : public testing::Test
{
protected:
    std::string list(Protection protection, bool user_is_named = false)
    {
        const std::vector<std::string> words = {"TOP", "user", "UIDL"};
        return capabilities(words, {.plain = true, .apop = true}, protection, user_is_named);
    }

    static constexpr auto kPlain =
        "+OK Capability list follows\r\nTOP\r\nuser\r\nUIDL\r\nSASL PLAIN LOGIN\r\n.\r\n";
};

TEST_F(Pop3Capabilities, WithoutStls)
{
    EXPECT_EQ(list({StartTls::off, false}), kPlain);
    for (const auto starttls : {StartTls::off, StartTls::on, StartTls::only}) {
        EXPECT_EQ(list({starttls, true}), kPlain);
    }
}

TEST_F(Pop3Capabilities, WithStls)
{
    EXPECT_EQ(list({StartTls::on, false}),
              "+OK Capability list follows\r\nTOP\r\nuser\r\nUIDL\r\nSASL PLAIN LOGIN\r\nSTLS\r\n"
              ".\r\n");
}

TEST_F(Pop3Capabilities, WithNothingButStls)
{
    EXPECT_EQ(list({StartTls::only, false}),
              "+OK Capability list follows\r\nTOP\r\nUIDL\r\nSTLS\r\n.\r\n");
}

TEST_F(Pop3Capabilities, BetweenUserAndPass)
{
    for (const auto starttls : {StartTls::off, StartTls::on, StartTls::only}) {
        EXPECT_EQ(list({starttls, false}, true), kPlain);
    }
}

TEST_F(Pop3Capabilities, WithoutMechanisms)
{
    EXPECT_EQ(capabilities({}, {.apop = true}, {}, false),
              "+OK Capability list follows\r\nSASL\r\n.\r\n");
}

TEST(Pop3Backend, Replies)
{
    using Kind = Reply::Kind;
    EXPECT_EQ(parse_reply("+OK ready <1@x>\r\n")->kind, Kind::ok);
    EXPECT_EQ(parse_reply("+OK\r\n")->kind, Kind::ok);
    EXPECT_EQ(parse_reply("-ERR [AUTH] no\r\n")->kind, Kind::error);
    EXPECT_EQ(parse_reply("+ok\r\n")->kind, Kind::unknown);
    EXPECT_EQ(parse_reply("\r\n")->kind, Kind::unknown);
    EXPECT_EQ(parse_reply("220 smtp\r\n")->kind, Kind::unknown);
    EXPECT_FALSE(parse_reply(""));
    EXPECT_FALSE(parse_reply("+OK"));
    EXPECT_FALSE(parse_reply("+OK\n"));
    EXPECT_FALSE(parse_reply("+OK\r"));
}

TEST(Pop3Backend, ReplyIsOneLineOfThose)
{
    const auto reply = parse_reply("+OK logged in\r\n+OK 2 3");
    EXPECT_EQ(reply->line, "+OK logged in\r\n");
    EXPECT_EQ(reply->consumed, 15u);
}

TEST(Pop3Backend, Commands)
{
    EXPECT_EQ(user_command("bob smith "), "USER bob smith \r\n");
    EXPECT_EQ(pass_command("open sesame ")->reveal(), "PASS open sesame \r\n");
    EXPECT_EQ(user_command(""), "USER \r\n");
}

TEST(Pop3Backend, CommandsCannotInject)
{
    for (const auto bad : {"bob\r\nDELE 1"sv, "bob\nDELE 1"sv, "bob\r"sv, "bob\0"sv}) {
        EXPECT_FALSE(user_command(bad));
        EXPECT_FALSE(pass_command(bad));
    }
}

TEST(Pop3Command, VerbsHaveNames)
{
    for (const std::string_view name :
         {"USER", "PASS", "APOP", "AUTH", "CAPA", "STLS", "NOOP", "QUIT"}) {
        EXPECT_EQ(to_string(parse_command(name)->verb), name);
    }
}

}  // namespace
}  // namespace postern::pop3
