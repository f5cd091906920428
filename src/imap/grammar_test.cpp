#include "imap/grammar.h"

#include <gtest/gtest.h>

namespace postern::imap {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;
using Strings = std::vector<std::string>;

// A verdict as one comparable text.
std::string describe(const Parsed& parsed)
{
    std::string text;
    if (const auto* command = std::get_if<Command>(&parsed.verdict)) {
        text = command->tag + " verb" + std::to_string(static_cast<int>(command->verb));
        for (const std::string_view word : command->words()) {
            text += " <" + std::string(word) + ">";
        }
    } else if (const auto* error = std::get_if<SyntaxError>(&parsed.verdict)) {
        text = error->tag + " syntax error" + (error->must_close ? ", close" : "");
    } else {
        return "need more";
    }
    return text + " after " + std::to_string(parsed.consumed) + " bytes, prompts " +
           std::to_string(parsed.prompts);
}

// Reads `text`, a single command, after checking that the result is the same wherever it is cut and
// that what follows it makes no difference.
Parsed parse(std::string_view text)
{
    const std::string whole = describe(parse_command(text));
    unsigned prompts = 0;
    for (std::size_t size = 0; size < text.size(); ++size) {
        const Parsed part = parse_command(std::string(text.substr(0, size)));  // its own bounds
        EXPECT_TRUE(std::holds_alternative<NeedMore>(part.verdict))
            << size << " bytes of " << text << ": " << describe(part);
        EXPECT_EQ(part.consumed, 0u);
        EXPECT_GE(part.prompts, prompts) << "a prompt was taken back";
        prompts = part.prompts;
    }
    EXPECT_LE(prompts, parse_command(text).prompts);
    for (const auto tail : {"x"sv, "\r\n"sv, "b NOOP\r\n"sv, "\0"sv}) {
        EXPECT_EQ(describe(parse_command(std::string(text) += tail)), whole) << text;
    }
    return parse_command(text);
}

Strings arguments(std::string_view text)
{
    const Parsed parsed = parse(text);
    const auto* command = std::get_if<Command>(&parsed.verdict);
    if (!command) {
        return {describe(parsed)};
    }
    EXPECT_EQ(parsed.consumed, text.size()) << text;
    Strings result;
    for (const std::string_view word : command->words()) {
        result.emplace_back(word);
    }
    return result;
}

void expect_error(std::string_view text, std::string_view tag, bool must_close = false)
{
    const Parsed parsed = parse(text);
    const auto* error = std::get_if<SyntaxError>(&parsed.verdict);
    ASSERT_NE(error, nullptr) << text << ": " << describe(parsed);
    EXPECT_EQ(error->tag, tag) << text;
    EXPECT_EQ(error->must_close, must_close) << text;
    EXPECT_EQ(parsed.consumed, text.size()) << text;
}

bool is_right(std::string_view text)
{
    const Parsed parsed = parse(text);
    return std::get<Command>(parsed.verdict).has_right_arguments();
}

TEST(ImapCommand, EveryVerbInAnyCase)
{
    const auto verb = [](std::string_view text) {
        return std::get<Command>(parse(text).verdict).verb;
    };
    EXPECT_EQ(verb("a CAPABILITY\r\n"), Verb::capability);
    EXPECT_EQ(to_string(Verb::capability), "CAPABILITY");
    EXPECT_EQ(to_string(Verb::authenticate), "AUTHENTICATE");
    EXPECT_EQ(verb("a noop\r\n"), Verb::noop);
    EXPECT_EQ(verb("a LogOut\r\n"), Verb::logout);
    EXPECT_EQ(verb("a STARTTLS\n"), Verb::starttls);
    EXPECT_EQ(verb("a LOGIN b c\r\n"), Verb::login);
    EXPECT_EQ(verb("a authenticate PLAIN\r\n"), Verb::authenticate);
}

TEST(ImapCommand, OthersAreSyntaxErrors)
{
    for (const auto text :
         {"a SELECT INBOX\r\n"sv, "a ID NIL\r\n"sv, "a ENABLE X\r\n"sv, "a LOGI b c\r\n"sv,
          "a LOGINS b c\r\n"sv, "a NO0P\r\n"sv, "a NOOP\tx\r\n"sv, "a NOOP\0\r\n"sv, "a \r\n"sv,
          "a   \n"sv, "a \xc3\xa9\r\n"sv, "a (NOOP)\r\n"sv, "a \"NOOP\"\r\n"sv, "a {4}\r\n"sv}) {
        expect_error(text, "a");
    }
}

TEST(ImapCommand, LineEnds)
{
    EXPECT_EQ(parse("a NOOP\n").consumed, 7u);
    EXPECT_EQ(parse("a NOOP\r\n").consumed, 8u);
    expect_error("a NOOP\r \n", "a");
    expect_error("a NOOP\r\r\n", "a");
    expect_error("a NOOP x\ry\r\n", "a");
    expect_error("\r\n", "*");
    expect_error("\n", "*");
}

TEST(ImapTag, Bytes)
{
    EXPECT_EQ(std::get<Command>(parse("AZaz09-._ NOOP\r\n").verdict).tag, "AZaz09-._");
    for (const auto text : {"+ NOOP\r\n"sv, "a+ NOOP\r\n"sv, "* NOOP\r\n"sv, "a\tNOOP\r\n"sv,
                            "a\0 NOOP\r\n"sv, "\xc3\xa9 NOOP\r\n"sv, "a\r\n"sv, "a\n"sv,
                            "a\rb NOOP\r\n"sv, "a/ NOOP\r\n"sv, "a] NOOP\r\n"sv}) {
        expect_error(text, "*");
    }
}

TEST(ImapTag, HasUpTo32Bytes)
{
    const std::string tag(32, 't');
    EXPECT_EQ(std::get<Command>(parse(tag + " NOOP\r\n").verdict).tag, tag);
    expect_error(tag + "t NOOP\r\n", "*");
}

TEST(ImapTag, MayNotBeEmpty)  // NGINX answers " OK completed"
{
    expect_error(" NOOP\r\n", "*");
    expect_error("  \r\n", "*");
}

TEST(ImapArguments, AreSeparatedBySpacesOnly)
{
    EXPECT_EQ(arguments("a LOGIN bob pw\r\n"), (Strings{"bob", "pw"}));
    EXPECT_EQ(arguments("a  LOGIN   bob  pw  \r\n"), (Strings{"bob", "pw"}));
    EXPECT_EQ(arguments("a LOGIN b\tob pw\r\n"), (Strings{"b\tob", "pw"}));
    EXPECT_EQ(arguments("a NOOP \r\n"), Strings{});
}

TEST(ImapArguments, AreAtMostThree)
{
    EXPECT_EQ(arguments("a NOOP 1 2 3\r\n"), (Strings{"1", "2", "3"}));
    EXPECT_EQ(arguments("a NOOP 1 2 3 \r\n"), (Strings{"1", "2", "3"}));
    expect_error("a NOOP 1 2 3 4\r\n", "a");
    expect_error("a NOOP 1 2 3 \"\"\r\n", "a");
    expect_error("a LOGIN 1 2 3 {1}\r\n", "a");
    expect_error("a LOGIN 1 2 3 {1+}\r\n", "a", true);
}

TEST(ImapAtom, TakesAnyByte)
{
    EXPECT_EQ(arguments("a LOGIN b\"o\\b p{3}\r\n"), (Strings{"b\"o\\b", "p{3}"}));
    EXPECT_EQ(arguments("a LOGIN b\0b \xff\x80()\r\n"sv), (Strings{"b\0b"s, "\xff\x80()"}));
}

TEST(ImapQuoted, Escapes)
{
    EXPECT_EQ(arguments(R"(a LOGIN "b o b" "")"
                        "\r\n"),
              (Strings{"b o b", ""}));
    EXPECT_EQ(arguments(R"(a LOGIN "b\"o\\b" "\p\w")"
                        "\r\n"),
              (Strings{"b\"o\\b", "pw"}));
    EXPECT_EQ(arguments("a LOGIN \"\0\xff\t\" \"\\\0\"\r\n"sv), (Strings{"\0\xff\t"s, "\0"s}));
    EXPECT_EQ(arguments("a LOGIN \"{3}\" x\n"), (Strings{"{3}", "x"}));
}

TEST(ImapQuoted, NextArgumentNeedsNoSpace)
{
    EXPECT_EQ(arguments("a LOGIN \"bob\"\"pw\"\r\n"), (Strings{"bob", "pw"}));
    EXPECT_EQ(arguments("a LOGIN \"bob\"pw\r\n"), (Strings{"bob", "pw"}));
    EXPECT_EQ(arguments("a LOGIN \"bob\"{2}\r\npw\r\n"), (Strings{"bob", "pw"}));
}

TEST(ImapQuoted, MustBeClosedOnItsLine)  // NGINX glues the next command to it
{
    expect_error("a LOGIN bob \"pw\r\n", "a");
    expect_error("a LOGIN bob \"pw\n", "a");
    expect_error("a LOGIN bob \"pw\\\r\n", "a");
    expect_error("a LOGIN bob \"pw\\\n", "a");
    expect_error("a LOGIN bob \"p\rw\"\r\n", "a");
    expect_error("a LOGIN \"\r\n", "a");
    expect_error("a LOGIN \"bob {3+}\r\n", "a", true);
}

TEST(ImapLiteral, Synchronising)
{
    EXPECT_EQ(arguments("a LOGIN {3}\r\nbob {2}\r\npw\r\n"), (Strings{"bob", "pw"}));
    EXPECT_EQ(parse("a LOGIN {3}\r\nbob {2}\r\npw\r\n").prompts, 2u);
    EXPECT_EQ(arguments("a LOGIN {3}\nbob pw\n"), (Strings{"bob", "pw"}));
    EXPECT_EQ(arguments("a AUTHENTICATE {5}\r\nPLAIN\r\n"), (Strings{"PLAIN"}));
    EXPECT_EQ(arguments("a NOOP {1}\r\n1 {1}\r\n2 {1}\r\n3\r\n"), (Strings{"1", "2", "3"}));
}

TEST(ImapLiteral, IsPromptedOnceItsLineIsComplete)
{
    EXPECT_EQ(parse_command("a LOGIN {3}").prompts, 0u);
    EXPECT_EQ(parse_command("a LOGIN {3}\r").prompts, 0u);
    EXPECT_EQ(parse_command("a LOGIN {3}\r\n").prompts, 1u);
    EXPECT_EQ(parse_command("a LOGIN {3}\r\nbob").prompts, 1u);
    EXPECT_EQ(parse_command("a LOGIN {3}\r\nbob {2}\r\n").prompts, 2u);
    EXPECT_EQ(parse_command("a LOGIN {3}\r\nbob {2+}\r\n").prompts, 1u);
    EXPECT_EQ(parse_command("a LOGIN {3+}\r\nbob {2}\r\np").prompts, 1u);
    EXPECT_EQ(parse_command("a SELECT {3}\r\n").prompts, 0u);
}

TEST(ImapLiteral, NonSynchronising)  // RFC 7888
{
    EXPECT_EQ(arguments("a LOGIN {3+}\r\nbob {2+}\r\npw\r\n"), (Strings{"bob", "pw"}));
    EXPECT_EQ(parse("a LOGIN {3+}\r\nbob {2+}\r\npw\r\n").prompts, 0u);
    EXPECT_EQ(arguments("a NOOP {6+}\r\nb NOOP\r\n"), (Strings{"b NOOP"}));
}

TEST(ImapLiteral, MayBeEmpty)  // NGINX makes the next byte the argument
{
    EXPECT_EQ(arguments("a LOGIN bob {0}\r\n\r\n"), (Strings{"bob", ""}));
    EXPECT_EQ(parse("a LOGIN bob {0}\r\n\r\n").prompts, 1u);
    EXPECT_EQ(arguments("a LOGIN bob {0+}\r\n\r\n"), (Strings{"bob", ""}));
    expect_error("a LOGIN {0} \r\n", "a");
    EXPECT_EQ(arguments("a LOGIN {0+}\r\n {0}\n\n"), (Strings{"", ""}));
}

TEST(ImapLiteral, HoldsAnyByte)
{
    EXPECT_EQ(arguments("a LOGIN {7}\r\n\r\n\0\"\\{  {2}\r\n\xff \r\n"sv),
              (Strings{"\r\n\0\"\\{ "s, "\xff "}));
}

TEST(ImapLiteral, IsFollowedBySpaceOrLineEnd)
{
    EXPECT_EQ(arguments("a LOGIN {3}\r\nbob  pw\r\n"), (Strings{"bob", "pw"}));
    for (const auto text : {"a LOGIN {3}\r\nbobx pw\r\n"sv, "a LOGIN {3}\r\nbob\"pw\"\r\n"sv,
                            "a LOGIN {3}\r\nbob{2}\r\n"sv, "a LOGIN {3}\r\nbob\0 pw\r\n"sv,
                            "a LOGIN {0}\r\nx\r\n"sv, "a LOGIN {3}\r\nbob\rpw\r\n"sv}) {
        expect_error(text, "a");
        EXPECT_EQ(parse_command(text).prompts, 1u);
    }
    expect_error("a LOGIN {3}\r\nbob{2+}\r\n", "a", true);
}

TEST(ImapLiteral, Malformed)
{
    for (const auto text :
         {"a LOGIN {}\r\n"sv, "a LOGIN {-1}\r\n"sv, "a LOGIN {x}\r\n"sv, "a LOGIN {3\r\n"sv,
          "a LOGIN { 3}\r\n"sv, "a LOGIN {3 }\r\n"sv, "a LOGIN {3}x\r\n"sv, "a LOGIN {3} \r\n"sv,
          "a LOGIN {3}\r \n"sv, "a LOGIN {+3}\r\n"sv, "a LOGIN {3-}\r\n"sv, "a LOGIN {\r\n"sv,
          "a LOGIN {3+\r\n"sv, "a LOGIN {\0}\r\n"sv, "a LOGIN {3}\"\r\n"sv}) {
        expect_error(text, "a");
        EXPECT_EQ(parse_command(text).prompts, 0u);
    }
    expect_error("a LOGIN {+}\r\n", "a", true);
    expect_error("a LOGIN {3++}\r\n", "a", true);
}

TEST(ImapLiteral, SizeHas32Bits)
{
    EXPECT_EQ(parse_command("a LOGIN {4294967295}\r\nabc").prompts, 1u);
    EXPECT_TRUE(
        std::holds_alternative<NeedMore>(parse_command("a LOGIN {4294967295}\r\nabc\r\n").verdict));
    expect_error("a LOGIN {4294967296}\r\n", "a");
    expect_error("a LOGIN {4294967300}\r\n", "a");
    expect_error("a LOGIN {99999999999999999999999999}\r\n", "a");
    expect_error("a LOGIN {4294967296+}\r\n", "a", true);
    EXPECT_EQ(arguments("a LOGIN {0000000000000003}\r\nbob x\r\n"), (Strings{"bob", "x"}));
}

TEST(ImapBadLine, EndingInPlusBraceMeansClose)
{
    expect_error("a SELECT {3+}\r\n", "a", true);
    expect_error("a SELECT {3+}\n", "a", true);
    expect_error("+ x {3+}\r\n", "*", true);
    expect_error("a SELECT {3+} \r\n", "a", false);
    expect_error("a SELECT {3}\r\n", "a", false);
    expect_error("a SELECT +\r\n", "a", false);
    expect_error("+}\r\n", "*", true);
    expect_error("}\r\n", "*", false);
}

TEST(ImapBadLine, EndsAtItsLf)
{
    const Parsed parsed = parse_command("a BAD line\r\nb NOOP\r\n");
    EXPECT_EQ(parsed.consumed, 12u);
}

TEST(ImapRefusal, ArgumentsThatTheVerbDoesNotTake)
{
    EXPECT_TRUE(is_right("a LOGIN bob pw\r\n"));
    EXPECT_TRUE(is_right("a LOGIN bob \"\"\r\n"));
    EXPECT_FALSE(is_right("a LOGIN \"\" pw\r\n"));
    EXPECT_FALSE(is_right("a LOGIN {0}\r\n pw\r\n"));
    EXPECT_FALSE(is_right("a LOGIN\r\n"));
    EXPECT_FALSE(is_right("a LOGIN bob\r\n"));
    EXPECT_FALSE(is_right("a LOGIN bob pw x\r\n"));
    EXPECT_FALSE(is_right("a AUTHENTICATE\r\n"));
    EXPECT_TRUE(is_right("a AUTHENTICATE PLAIN\r\n"));
    EXPECT_TRUE(is_right("a AUTHENTICATE PLAIN =\r\n"));
    EXPECT_FALSE(is_right("a AUTHENTICATE PLAIN = x\r\n"));
    for (const auto text :
         {"a CAPABILITY x y z\r\n"sv, "a NOOP x\r\n"sv, "a LOGOUT x\r\n"sv, "a STARTTLS x\r\n"sv}) {
        EXPECT_TRUE(is_right(text)) << text;
    }
}

TEST(ImapHostile, LongLines)
{
    const std::string parentheses(100'000, '(');
    const std::string text = "a LOGIN " + parentheses + " pw\r\n";
    EXPECT_EQ(std::get<Command>(parse_command(text).verdict).words()[0], parentheses);
    for (const char c : {'(', '"', '\\', '{', ' ', 'a', '\0', '\r', '\xff'}) {
        const std::string junk(65'536, c);
        for (const auto start :
             {"", "a ", "a LOGIN ", "a LOGIN {", "a LOGIN \"", "a LOGIN {1}\r\n"}) {
            const Parsed open = parse_command(start + junk);
            EXPECT_TRUE(std::holds_alternative<NeedMore>(open.verdict)) << start << c;
            const Parsed closed = parse_command(start + junk + "\n");
            EXPECT_FALSE(std::holds_alternative<NeedMore>(closed.verdict)) << start << c;
            EXPECT_LE(closed.prompts, 1u);
        }
    }
}

TEST(ImapHostile, ThousandsOfCommandsInOnePacket)
{
    std::string text;
    for (int i = 0; i < 10'000; ++i) {
        text += "a NOOP\r\n";
    }
    std::string_view rest = text;
    int count = 0;
    while (!rest.empty()) {
        const Parsed parsed = parse_command(rest);
        ASSERT_TRUE(std::holds_alternative<Command>(parsed.verdict));
        rest.remove_prefix(parsed.consumed);
        ++count;
    }
    EXPECT_EQ(count, 10'000);
}

TEST(ImapReplies, Texts)
{
    EXPECT_EQ(completed("a1"), "a1 OK completed\r\n");
    EXPECT_EQ(invalid("a1"), "a1 BAD invalid command\r\n");
    EXPECT_EQ(invalid("*"), "* BAD invalid command\r\n");
    EXPECT_EQ(prompt(""), "+ \r\n");
    EXPECT_EQ(prompt("VXNlcm5hbWU6"), "+ VXNlcm5hbWU6\r\n");
}

TEST(ImapCapability, Composition)
{
    const Strings words = {"IMAP4", "IMAP4rev1", "UIDPLUS"};
    constexpr Mechanisms kAll = {.plain = true, .login = true, .cram_md5 = true, .external = true};
    const auto line = [&](Protection protection) { return capability(words, kAll, protection); };
    constexpr auto kFull =
        "* CAPABILITY IMAP4 IMAP4rev1 UIDPLUS AUTH=PLAIN AUTH=LOGIN AUTH=CRAM-MD5 "
        "AUTH=EXTERNAL\r\n";
    EXPECT_EQ(capability(words, {.plain = true}, {}),
              "* CAPABILITY IMAP4 IMAP4rev1 UIDPLUS AUTH=PLAIN\r\n");
    EXPECT_EQ(line({StartTls::off, false}), kFull);
    EXPECT_EQ(line({StartTls::off, true}), kFull);
    EXPECT_EQ(line({StartTls::on, true}), kFull);
    EXPECT_EQ(line({StartTls::only, true}), kFull);
    EXPECT_EQ(line({StartTls::on, false}),
              "* CAPABILITY IMAP4 IMAP4rev1 UIDPLUS AUTH=PLAIN AUTH=LOGIN AUTH=CRAM-MD5 "
              "AUTH=EXTERNAL STARTTLS\r\n");
    EXPECT_EQ(line({StartTls::only, false}),
              "* CAPABILITY IMAP4 IMAP4rev1 UIDPLUS STARTTLS LOGINDISABLED\r\n");
}

TEST(ImapBackend, Replies)
{
    using Kind = Reply::Kind;
    const auto kind = [](std::string_view line, std::string_view tag = "a1") {
        return parse_reply(line, tag)->kind;
    };
    EXPECT_EQ(kind("* OK ready\r\n"), Kind::untagged_ok);
    EXPECT_EQ(kind("* PREAUTH hi\r\n"), Kind::untagged);
    EXPECT_EQ(kind("* BYE\r\n"), Kind::untagged);
    EXPECT_EQ(kind("* ok ready\r\n"), Kind::untagged);
    EXPECT_EQ(kind("* CAPABILITY IMAP4rev1\r\n"), Kind::untagged);
    EXPECT_EQ(kind("+ OK\r\n"), Kind::continuation);
    EXPECT_EQ(kind("+\r\n"), Kind::continuation);
    EXPECT_EQ(kind("a1 OK done\r\n"), Kind::ok);
    EXPECT_EQ(kind("a1 NO [AUTHENTICATIONFAILED] no\r\n"), Kind::no);
    EXPECT_EQ(kind("a1 BAD what\r\n"), Kind::bad);
    EXPECT_EQ(kind("a1 ok done\r\n"), Kind::unknown);
    EXPECT_EQ(kind("a12 OK done\r\n"), Kind::unknown);
    EXPECT_EQ(kind("a OK done\r\n"), Kind::unknown);
    EXPECT_EQ(kind("a1OK done\r\n"), Kind::unknown);
    EXPECT_EQ(kind(" OK done\r\n", ""), Kind::unknown);
    EXPECT_EQ(kind("\r\n"), Kind::unknown);
    EXPECT_EQ(kind("*OK\r\n"), Kind::unknown);
}

TEST(ImapBackend, ReplyIsOneLineOfThose)
{
    const auto text = "* OK [CAPABILITY X] hi\r\na1 OK\r\n* 3 EX"sv;
    const auto first = parse_reply(text, "a1");
    EXPECT_EQ(first->line, "* OK [CAPABILITY X] hi\r\n");
    const auto second = parse_reply(text.substr(first->consumed), "a1");
    EXPECT_EQ(second->kind, Reply::Kind::ok);
    EXPECT_FALSE(parse_reply(text.substr(first->consumed + second->consumed), "a1"));
    EXPECT_FALSE(parse_reply("", "a1"));
    EXPECT_FALSE(parse_reply("* OK\n", "a1"));
    EXPECT_FALSE(parse_reply("* OK\r", "a1"));
}

TEST(ImapBackend, StartTls)
{
    EXPECT_EQ(starttls_command("a1"), "a1 STARTTLS\r\n");
}

TEST(ImapBackend, LoginUsesLiterals)
{
    const auto parts = login("a1", "b \"ob", "p{w \xff");
    EXPECT_EQ(parts->command, "a1 LOGIN {5}\r\n");
    EXPECT_EQ(parts->user, "b \"ob {5}\r\n");
    EXPECT_EQ(parts->password.reveal(), "p{w \xff\r\n");
    EXPECT_EQ(login("a1", "bob", "")->user, "bob {0}\r\n");
    EXPECT_EQ(login("a1", "bob", "")->password.reveal(), "\r\n");
}

TEST(ImapBackend, WhatWeSendIsWhatWeRead)
{
    const auto parts = login("a1", "b\\ob {9}", "\"p w\"");
    const std::string text = parts->command + parts->user + std::string(parts->password.reveal());
    EXPECT_EQ(arguments(text), (Strings{"b\\ob {9}", "\"p w\""}));
}

TEST(ImapBackend, LoginCannotInject)
{
    for (const auto bad : {"x\r\ny"sv, "x\ry"sv, "x\ny"sv, "x\0y"sv}) {
        EXPECT_FALSE(login("a1", bad, "pw"));
        EXPECT_FALSE(login("a1", "bob", bad));
        EXPECT_FALSE(login(bad, "bob", "pw"));
    }
}

TEST(ImapTag, OfACommandWithoutAnEnd)
{
    EXPECT_EQ(tag_of("a.1 NOOP xxx"), "a.1");
    EXPECT_EQ(tag_of(std::string(32, 'x') + " NOOP"), std::string(32, 'x'));
    EXPECT_EQ(tag_of(std::string(33, 'x') + " NOOP"), "*");
    EXPECT_EQ(tag_of("xxxx"), "*");
    EXPECT_EQ(tag_of(" NOOP"), "*");
    EXPECT_EQ(tag_of("a+ NOOP"), "*");
    EXPECT_EQ(tag_of(""), "*");
}

TEST(ImapLogin, GoesInOnePieceWhereTheServerTakesIt)
{
    const auto parts = login("a1", "b {9}", "p w");
    EXPECT_EQ(in_one_piece(*parts).reveal(), "a1 LOGIN {5+}\r\nb {9} {3+}\r\np w\r\n");
    EXPECT_EQ(in_one_piece(*login("a1", "", "")).reveal(), "a1 LOGIN {0+}\r\n {0+}\r\n\r\n");
    const auto takes = [&](std::string_view greeting) { return takes_one_piece(greeting, *parts); };
    EXPECT_TRUE(
        takes("* OK [CAPABILITY IMAP4rev1 SASL-IR LITERAL+ AUTH=PLAIN] Dovecot ready.\r\n"));
    EXPECT_TRUE(takes("* OK [capability literal-] x\r\n"));
    EXPECT_FALSE(takes("* OK ready\r\n"));
    EXPECT_FALSE(takes("* OK LITERAL+ ready\r\n"));
    EXPECT_FALSE(takes("* OK [ALERT] [CAPABILITY LITERAL+]\r\n"));
    EXPECT_FALSE(takes("* OK [CAPABILITY IMAP4rev1 XLITERAL+ LITERAL+X] LITERAL+\r\n"));
    EXPECT_FALSE(takes("* OK [CAPABILITY IMAP4rev1 LITERAL+\r\n"));
    EXPECT_FALSE(takes("* OK ] [CAPABILITY LITERAL+]\r\n"));
    EXPECT_FALSE(takes("* OK [CAPABILITY ]\r\n"));
}

// RFC 7888 section 5: "LITERAL-" is for literals of 4096 octets and less.
TEST(ImapLogin, GoesInTurnsIfItIsTooLongForThat)
{
    const auto parts = login("a1", std::string(4097, 'u'), "pw");
    EXPECT_FALSE(takes_one_piece("* OK [CAPABILITY LITERAL-]\r\n", *parts));
    EXPECT_TRUE(takes_one_piece("* OK [CAPABILITY LITERAL+]\r\n", *parts));
}

}  // namespace
}  // namespace postern::imap
