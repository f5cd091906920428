#include "bench/mailbox.h"

#include <gtest/gtest.h>

#include <vector>

namespace postern::bench {
namespace {

// Says a line and returns what is answered at once.
std::string say(Mailbox& mailbox, std::string_view line)
{
    std::string out;
    mailbox.on_line(line, out);
    return out;
}

TEST(BenchMailbox, LetsProxiesInWithLiterals)
{
    Mailbox mailbox(Protocol::imap);
    EXPECT_TRUE(mailbox.greeting().starts_with("* OK [CAPABILITY IMAP4rev1 "));
    EXPECT_EQ(say(mailbox, "a1 LOGIN {4}"), "+ go on\r\n");
    EXPECT_EQ(mailbox.literal_left(), 4u);
    mailbox.on_literal("user");
    EXPECT_EQ(say(mailbox, " {6}"), "+ go on\r\n");
    mailbox.on_literal("secret");
    EXPECT_FALSE(mailbox.logged_in());
    EXPECT_EQ(say(mailbox, ""), "a1 OK done\r\n");
    EXPECT_TRUE(mailbox.logged_in());
    EXPECT_EQ(say(mailbox, "n NOOP"), "n OK done\r\n");
}

TEST(BenchMailbox, LetsImapClientsInInTheirOwnWays)
{
    for (const std::vector<std::string_view>& lines :
         {std::vector<std::string_view>{"b LOGIN user pass"}, {"b AUTHENTICATE PLAIN AHUAcA=="}}) {
        Mailbox mailbox(Protocol::imap);
        EXPECT_EQ(say(mailbox, lines[0]), "b OK done\r\n");
        EXPECT_TRUE(mailbox.logged_in());
    }
    Mailbox mailbox(Protocol::imap);
    EXPECT_EQ(say(mailbox, "c CAPABILITY"), "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nc OK done\r\n");
    EXPECT_EQ(say(mailbox, "c AUTHENTICATE PLAIN"), "+ \r\n");
    EXPECT_FALSE(mailbox.logged_in());
    EXPECT_EQ(say(mailbox, "AHUAcA=="), "c OK done\r\n");
    EXPECT_TRUE(mailbox.logged_in());
}

TEST(BenchMailbox, DoesNotAnswerALiteralThatDoesNotWait)
{
    Mailbox mailbox(Protocol::imap);
    EXPECT_EQ(say(mailbox, "a LOGIN {4+}"), "");
    EXPECT_EQ(mailbox.literal_left(), 4u);
    mailbox.on_literal("user");
    EXPECT_EQ(say(mailbox, " pass"), "a OK done\r\n");
    EXPECT_TRUE(mailbox.logged_in());
}

TEST(BenchMailbox, LetsPop3ClientsIn)
{
    Mailbox mailbox(Protocol::pop3);
    EXPECT_EQ(say(mailbox, "NOOP"), "-ERR not now\r\n");
    EXPECT_EQ(say(mailbox, "USER u"), "+OK done\r\n");
    EXPECT_FALSE(mailbox.logged_in());
    EXPECT_EQ(say(mailbox, "PASS p"), "+OK done\r\n");
    EXPECT_TRUE(mailbox.logged_in());
    EXPECT_EQ(say(mailbox, "NOOP"), "+OK done\r\n");

    Mailbox other(Protocol::pop3);
    EXPECT_EQ(say(other, "AUTH PLAIN"), "+ \r\n");
    EXPECT_EQ(say(other, "AHUAcA=="), "+OK done\r\n");
    EXPECT_TRUE(other.logged_in());
}

TEST(BenchMailbox, LetsSmtpClientsIn)
{
    Mailbox mailbox(Protocol::smtp);
    EXPECT_TRUE(say(mailbox, "EHLO there").ends_with("\r\n250 AUTH PLAIN\r\n"));
    EXPECT_EQ(say(mailbox, "XCLIENT ADDR=127.0.0.1 NAME=[UNAVAILABLE]"), mailbox.greeting());
    EXPECT_FALSE(mailbox.logged_in());
    EXPECT_EQ(say(mailbox, "XCLIENT ADDR=127.0.0.1 LOGIN=user"), mailbox.greeting());
    EXPECT_TRUE(mailbox.logged_in());

    Mailbox other(Protocol::smtp);
    EXPECT_EQ(say(other, "AUTH PLAIN"), "334 \r\n");
    EXPECT_EQ(say(other, "AHUAcA=="), "235 you are in\r\n");
    EXPECT_TRUE(other.logged_in());
    EXPECT_EQ(say(other, "NOOP"), "250 done\r\n");
}

TEST(BenchMailbox, MovesDataForThoseWhoAreIn)
{
    struct Case {
        Protocol protocol;
        std::string_view login, tag, closing, refusal;
    };
    for (const auto& [protocol, login, tag, closing, refusal] :
         {Case{Protocol::imap, "a LOGIN u p", "t ", "t OK done\r\n", "t BAD not now\r\n"},
          Case{Protocol::pop3, "PASS p", "", "+OK done\r\n", "-ERR not now\r\n"},
          Case{Protocol::smtp, "AUTH PLAIN AA==", "", "250 done\r\n", "503 not now\r\n"}}) {
        const std::string bulk = std::string(tag) + "BULK 1000";
        const std::string sink = std::string(tag) + "sink 70000000000";
        Mailbox mailbox(protocol);
        EXPECT_EQ(say(mailbox, bulk), refusal);
        EXPECT_EQ(say(mailbox, sink), refusal);
        say(mailbox, login);
        EXPECT_EQ(say(mailbox, std::string(tag) + "BULK much"), refusal);

        std::string out;
        const auto down = mailbox.on_line(bulk, out);
        EXPECT_EQ(down.filler_bytes, 1000u);
        EXPECT_EQ(down.sink_bytes, 0u);
        EXPECT_EQ(down.closing, closing);
        const auto up = mailbox.on_line(sink, out);
        EXPECT_EQ(up.filler_bytes, 0u);
        EXPECT_EQ(up.sink_bytes, 70'000'000'000u);
        EXPECT_EQ(up.closing, closing);
        EXPECT_EQ(out, "");
    }
}

// Whoever asks hears the name that has logged in, in whatever form a proxy gives it.
TEST(BenchMailbox, SaysWhoIsThere)
{
    const std::string plain = "AHVzZXIAc2VjcmV0";  // NUL user NUL secret
    const std::vector<std::pair<Protocol, std::vector<std::string>>> logins{
        {Protocol::imap, {"a LOGIN user secret"}},
        {Protocol::imap, {"a AUTHENTICATE PLAIN " + plain}},
        {Protocol::imap, {"a AUTHENTICATE PLAIN", plain}},
        {Protocol::pop3, {"USER user", "PASS secret"}},
        {Protocol::pop3, {"AUTH PLAIN " + plain}},
        {Protocol::pop3, {"AUTH PLAIN", plain}},
        {Protocol::smtp, {"AUTH PLAIN " + plain}},
        {Protocol::smtp, {"AUTH PLAIN", plain}},
        {Protocol::smtp, {"XCLIENT ADDR=127.0.0.1 LOGIN=user NAME=x"}}};
    for (const auto& [protocol, lines] : logins) {
        Mailbox mailbox(protocol);
        for (const std::string& line : lines) {
            say(mailbox, line);
        }
        EXPECT_TRUE(mailbox.logged_in()) << lines.front();
        const bool is_imap = protocol == Protocol::imap;
        const std::string answer = say(mailbox, is_imap ? "w WHO" : "WHO");
        EXPECT_TRUE(answer.ends_with(" user is here\r\n")) << lines.front() << answer;
    }
    for (const bool in_one_piece : {true, false}) {
        Mailbox mailbox(Protocol::imap);
        say(mailbox, in_one_piece ? "a LOGIN {4+}" : "a LOGIN {4}");
        mailbox.on_literal("user");
        say(mailbox, in_one_piece ? " {6+}" : " {6}");
        mailbox.on_literal("secret");
        say(mailbox, "");
        EXPECT_EQ(say(mailbox, "w WHO"), "w OK user is here\r\n");
    }
}

TEST(BenchMailbox, MarksWhatItIsAskedTo)
{
    Mailbox mailbox(Protocol::pop3);
    say(mailbox, "PASS p");
    std::string out;
    const auto down = mailbox.on_line("BULK 1000 77", out);
    EXPECT_EQ(down.filler_bytes, 1000u);
    EXPECT_EQ(down.mark, 77u);
    const auto up = mailbox.on_line("SINK 1000 77", out);
    EXPECT_EQ(up.mark, 77u);
    EXPECT_EQ(up.refusal, "-ERR not now\r\n");
    EXPECT_EQ(say(mailbox, "SINK 1000 x"), "-ERR not now\r\n");
    EXPECT_EQ(mailbox.on_line("BULK 1000", out).mark, std::nullopt);
}

TEST(BenchMailbox, SaysGoodbye)
{
    for (const auto& [protocol, line, said] :
         {std::tuple{Protocol::imap, "z LOGOUT", "* BYE bye\r\nz OK done\r\n"},
          std::tuple{Protocol::pop3, "QUIT", "+OK done\r\n"},
          std::tuple{Protocol::smtp, "QUIT", "221 bye\r\n"}}) {
        Mailbox mailbox(protocol);
        std::string out;
        EXPECT_TRUE(mailbox.on_line(line, out).ends);
        EXPECT_EQ(out, said);
    }
}

}  // namespace
}  // namespace postern::bench
