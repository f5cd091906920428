#include "config/lexer.h"

#include <gtest/gtest.h>

namespace postern::config {
namespace {

using Strings = std::vector<std::string>;

// The words of the first directive; an error's text instead of them.
Strings words(std::string_view text)
{
    auto result = Lexer(text).next();
    return result ? result->words : Strings{"error: " + result.error().message};
}

struct Failure {
    std::string message;
    unsigned line;
    bool operator==(const Failure&) const = default;
};

// The first error of the text.
Failure failure(std::string_view text, Lexer::Source source = Lexer::Source::file)
{
    Lexer lexer(text, source);
    for (;;) {
        const auto result = lexer.next();
        if (!result) {
            return {result.error().message, result.error().line};
        }
        if (result->end == End::end_of_text) {
            return {"none", result->line};
        }
    }
}

TEST(Lexer, SeparatesWordsByWhiteSpace)
{
    EXPECT_EQ(words("a b;"), (Strings{"a", "b"}));
    EXPECT_EQ(words(" \t\r\na\tb\r\nc ;"), (Strings{"a", "b", "c"}));
    EXPECT_EQ(words("listen 25;"), (Strings{"listen", "25"}));
}

TEST(Lexer, SaysWhatEndedTheWordsAndWhere)
{
    Lexer lexer("mail{\n  a\n  b;\n}");
    auto next = lexer.next();
    EXPECT_EQ(next->words, Strings{"mail"});
    EXPECT_EQ(next->end, End::open_brace);
    EXPECT_EQ(next->line, 1u);
    next = lexer.next();
    EXPECT_EQ(next->words, (Strings{"a", "b"}));
    EXPECT_EQ(next->end, End::semicolon);
    EXPECT_EQ(next->line, 3u);
    next = lexer.next();
    EXPECT_EQ(next->end, End::close_brace);
    EXPECT_EQ(next->line, 4u);
    next = lexer.next();
    EXPECT_EQ(next->end, End::end_of_text);
}

TEST(Lexer, TakesPunctuationInsideAWordAsItIs)
{
    EXPECT_EQ(words("a}b;"), Strings{"a}b"});
    EXPECT_EQ(words("143#x;"), Strings{"143#x"});
    EXPECT_EQ(words("a\"b'c;"), Strings{"a\"b'c"});
    EXPECT_EQ(words("$x.pem;"), Strings{"$x.pem"});
    EXPECT_EQ(words("${x};"), Strings{"${x}"});
    EXPECT_EQ(words("a${x}b;"), Strings{"a${x}b"});
    EXPECT_EQ(words("$\\{ x;"), (Strings{"$\\{", "x"}));
}

TEST(Lexer, SkipsCommentsWhereAWordCouldStart)
{
    EXPECT_EQ(words("# one ; { \" \n#two\na #three;\n b;#four"), (Strings{"a", "b"}));
    EXPECT_EQ(words("#" + std::string(10000, 'x') + "\na;"), Strings{"a"});
    EXPECT_EQ(failure("#no line end").message, "none");
}

TEST(Lexer, QuotedWordsMayHoldAnything)
{
    EXPECT_EQ(words("\"a ;{}#'\n\" b;"), (Strings{"a ;{}#'\n", "b"}));
    EXPECT_EQ(words("'a ;{}#\"\n' b;"), (Strings{"a ;{}#\"\n", "b"}));
    EXPECT_EQ(words("\"\" '';"), (Strings{"", ""}));
    EXPECT_EQ(words("\"a\"{"), Strings{"a"});
    EXPECT_EQ(words("\"a\")b;"), (Strings{"a", ")b"}));
}

TEST(Lexer, WantsSpaceBehindAClosingQuote)
{
    EXPECT_EQ(failure("\"a\"b;"), (Failure{"unexpected \"b\"", 1}));
    EXPECT_EQ(failure("x \"a\"#c\n;"), (Failure{"unexpected \"#\"", 1}));
    EXPECT_EQ(failure("x 'a'};"), (Failure{"unexpected \"}\"", 1}));
    EXPECT_EQ(failure("x 'a'\"b\";"), (Failure{"unexpected \"\"\"", 1}));
}

TEST(Lexer, UnescapesQuotesBackslashesAndThreeLetters)
{
    EXPECT_EQ(words(R"("\"\'\\";)"), Strings{R"("'\)"});
    EXPECT_EQ(words(R"(\"\'\\;)"), Strings{R"("'\)"});
    EXPECT_EQ(words(R"("a\tb\rc\nd";)"), Strings{"a\tb\rc\nd"});
    EXPECT_EQ(words(R"(a\tb\rc\nd;)"), Strings{"a\tb\rc\nd"});
    EXPECT_EQ(words(R"(\d\;\ \{\#;)"), Strings{R"(\d\;\ \{\#)"});
    EXPECT_EQ(words(R"(\\n;)"), Strings{R"(\n)"});
}

TEST(Lexer, RefusesStrayPunctuation)
{
    EXPECT_EQ(failure("a;\n;"), (Failure{"unexpected \";\"", 2}));
    EXPECT_EQ(failure("{"), (Failure{"unexpected \"{\"", 1}));
    EXPECT_EQ(failure("a\n}"), (Failure{"unexpected \"}\"", 2}));
}

TEST(Lexer, RefusesAnEndInsideADirective)
{
    const Failure at_end{"unexpected end of file, expecting \";\" or \"}\"", 2};
    EXPECT_EQ(failure("a\nb"), at_end);
    EXPECT_EQ(failure("a\nb "), at_end);
    EXPECT_EQ(failure("a \"\nb"), at_end);
    EXPECT_EQ(failure("a 'b'\n"), at_end);
    EXPECT_EQ(failure("a\n\\"), at_end);
    EXPECT_EQ(failure("daemon off", Lexer::Source::command_line).message,
              "unexpected end of parameter, expecting \";\"");
}

TEST(Lexer, RefusesWordsOf4096Bytes)  // quotes' own bytes aside
{
    const std::string fits(kWordBytesMax - 1, 'x');
    EXPECT_EQ(words(fits + ";"), Strings{fits});
    EXPECT_EQ(words("\"" + fits + "\";"), Strings{fits});
    EXPECT_EQ(failure("\n" + fits + "x;"),
              (Failure{"too long parameter \"xxxxxxxxxx...\" started", 2}));
    EXPECT_EQ(failure("a\n\"\n" + fits + "\";\n\n"),
              (Failure{"too long parameter, probably missing terminating \"\"\" character", 2}));
    EXPECT_EQ(failure("a '" + fits + "x';").message,
              "too long parameter, probably missing terminating \"'\" character");
    // Escapes count as they are written, also where one crosses the limit.
    EXPECT_EQ(failure(fits + "\\n;").message, "too long parameter \"xxxxxxxxxx...\" started");
}

TEST(Lexer, RefusesNulBytesOutsideComments)
{
    using namespace std::string_literals;
    EXPECT_EQ(failure("#\0\na b\0;"s), (Failure{"unexpected NUL byte", 2}));
    EXPECT_EQ(failure("a \"b\0\";"s).message, "unexpected NUL byte");
    EXPECT_EQ(failure("a b\\\0;"s).message, "unexpected NUL byte");
    EXPECT_EQ(failure("a;\0"s).message, "unexpected NUL byte");
    EXPECT_EQ(failure("\"a\"\0;"s).message, "unexpected NUL byte");
}

TEST(Lexer, AByteOrderMarkIsPartOfTheFirstWord)
{
    EXPECT_EQ(words("\xef\xbb\xbfuser x;"), (Strings{"\xef\xbb\xbfuser", "x"}));
}

// All short texts over the bytes that mean something: each ends, in a result or an error.
TEST(Lexer, EndsOnEveryInput)
{
    constexpr std::string_view kAlphabet = "a;{}\"'\\#$\n )";
    std::size_t count = 1;
    for (int length = 0; length <= 4; ++length, count *= kAlphabet.size()) {
        for (std::size_t number = 0; number < count; ++number) {
            std::string text;
            for (std::size_t rest = number; text.size() < static_cast<std::size_t>(length);
                 rest /= kAlphabet.size()) {
                text += kAlphabet[rest % kAlphabet.size()];
            }
            Lexer lexer(text);
            for (std::size_t steps = 0;; ++steps) {
                ASSERT_LE(steps, text.size()) << text;
                const auto next = lexer.next();
                if (!next || next->end == End::end_of_text) {
                    break;
                }
            }
        }
    }
}

}  // namespace
}  // namespace postern::config
