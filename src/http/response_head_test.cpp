#include "http/response_head.h"

#include <gtest/gtest.h>

#include <string>

namespace postern::http {
namespace {

using namespace std::string_view_literals;

ResponseHead parse(std::string_view text)
{
    const auto head = parse_response_head(text);
    if (!head || !*head) {
        ADD_FAILURE() << "no head in " << text;
        return {};
    }
    return **head;
}

bool is_invalid(std::string_view text)
{
    const auto head = parse_response_head(text);
    return !head && head.error() == HeadError::invalid;
}

bool needs_more(std::string_view text)
{
    const auto head = parse_response_head(text);
    return head && !*head;
}

std::string_view only_value(std::string_view text)
{
    static ResponseHead head;
    head = parse(text);
    EXPECT_EQ(head.headers.size(), 1u) << text;
    return head.headers.empty() ? "(none)"sv : head.headers[0].value;
}

constexpr std::string_view kAnswer =
    "HTTP/1.0 200 OK\r\nServer: x\r\nAuth-Status: OK\r\nAuth-Server: 127.0.0.1\r\nAuth-Port: "
    "143\r\n\r\n";

TEST(ResponseHead, HasTheHeadersAfterTheStatusLine)
{
    const ResponseHead head = parse(kAnswer);
    ASSERT_EQ(head.headers.size(), 4u);
    EXPECT_EQ(head.headers[1].name, "Auth-Status");
    EXPECT_EQ(head.headers[1].value, "OK");
    EXPECT_EQ(head.headers[3].name, "Auth-Port");
    EXPECT_EQ(head.headers[3].value, "143");
    EXPECT_EQ(head.status, 200u);
    EXPECT_EQ(head.consumed, kAnswer.size());
}

TEST(ResponseHead, IsNothingBeforeItsLastByteAndTheSameHoweverItArrives)
{
    const std::string bare_lf = "HTTP/1.1 200 OK\nA: b\nC\n\nbody";
    for (const std::string& text : {std::string(kAnswer) + "body", bare_lf}) {
        const std::size_t size = text.size() - 4;
        for (std::size_t i = 0; i < size; ++i) {
            EXPECT_TRUE(needs_more(text.substr(0, i))) << i;
        }
        for (std::size_t i = size; i <= text.size(); ++i) {
            EXPECT_EQ(parse(std::string_view(text).substr(0, i)).consumed, size);
        }
    }
}

TEST(ResponseHead, NeedsNoStatusLine)  // NGINX
{
    const ResponseHead head = parse("Auth-Status: OK\r\nAuth-Port: 1\r\n\r\n");
    EXPECT_EQ(head.status, 0u);
    ASSERT_EQ(head.headers.size(), 2u);
    EXPECT_EQ(head.headers[0].name, "Auth-Status");
    EXPECT_FALSE(head.keep_alive);
}

TEST(ResponseHead, MayHaveNoHeaders)
{
    EXPECT_TRUE(parse("\r\n").headers.empty());
    EXPECT_TRUE(parse("\n").headers.empty());
    EXPECT_EQ(parse("\nAuth-Status: OK\n\n").consumed, 1u);
    EXPECT_TRUE(parse("HTTP/1.0 404 Not Found\r\n\r\n").headers.empty());
}

TEST(ResponseHead, StatusLineIsWhateverStartsWithHttp)
{
    EXPECT_EQ(parse("HTTP/\n\n").status, 0u);
    EXPECT_EQ(parse("HTTP/1.0 500\r\n\r\n").status, 500u);
    EXPECT_EQ(parse("HTTP/1.0 500\n\n").status, 500u);
    EXPECT_EQ(parse("HTTP/9 \0\x80 _ nonsense\n\n"sv).status, 0u);
    EXPECT_EQ(parse("HTTP/1.1 2000 x\n\n").status, 0u);
    EXPECT_EQ(parse("HTTP/1.1 -20 x\n\n").status, 0u);
    EXPECT_EQ(parse("HTTP\n\n").headers.at(0).name, "HTTP");  // a header without a value
    EXPECT_TRUE(is_invalid("http/1.0 200 OK\r\n\r\n"));       // a name with "/"
    EXPECT_TRUE(is_invalid("X: y\r\nHTTP/1.0 200 OK\r\n\r\n"));
}

TEST(ResponseHead, StatusLineMayNotBeKnownYet)
{
    for (const auto* text : {"", "H", "HT", "HTT", "HTTP", "HTTP/", "HTTP/1.0 200"}) {
        EXPECT_TRUE(needs_more(text)) << text;
    }
}

TEST(ResponseHead, NamesHaveLettersDigitsAndHyphens)
{
    EXPECT_EQ(parse("9-aZ-: x\n\n").headers[0].name, "9-aZ-");
    EXPECT_TRUE(is_invalid("-a: x\n\n"));
    EXPECT_TRUE(is_invalid("Auth_Status: OK\r\n\r\n"));
    EXPECT_TRUE(is_invalid("Auth-Status : OK\r\n\r\n"));
    EXPECT_TRUE(is_invalid(": OK\r\n\r\n"));
    EXPECT_TRUE(is_invalid(" A: folded\r\n\r\n"));
    EXPECT_TRUE(is_invalid("\tA: folded\r\n\r\n"));
    EXPECT_TRUE(is_invalid("A\0: x\n\n"sv));
    EXPECT_TRUE(is_invalid("A\x80: x\n\n"));
    EXPECT_TRUE(is_invalid("<html>"));
}

TEST(ResponseHead, ValueLosesSpacesAndNothingElse)
{
    EXPECT_EQ(only_value("A:b\n\n"), "b");
    EXPECT_EQ(only_value("A:   b   c  \r\n\r\n"), "b   c");
    EXPECT_EQ(only_value("A: \tb\t \n\n"), "\tb\t");
    EXPECT_EQ(only_value("A: b:c\n\n"), "b:c");
    EXPECT_EQ(only_value("A:\n\n"), "");
    EXPECT_EQ(only_value("A:    \r\n\r\n"), "");
    EXPECT_EQ(only_value("A: \x80\xff%00\n\n"), "\x80\xff%00");
}

TEST(ResponseHead, LineWithoutColonHasNoValue)
{
    const ResponseHead head = parse("Auth-Status\r\nB\n\n");
    ASSERT_EQ(head.headers.size(), 2u);
    EXPECT_EQ(head.headers[0].name, "Auth-Status");
    EXPECT_EQ(head.headers[0].value, "");
}

TEST(ResponseHead, ValueCanHoldNeitherCrNorNul)
{
    EXPECT_TRUE(is_invalid("A: b\rc\n\n"));
    EXPECT_TRUE(is_invalid("A: b\r\r\n\n"));
    EXPECT_TRUE(is_invalid("A: \rb\n\n"));
    EXPECT_TRUE(is_invalid("A\r: b\n\n"));
    EXPECT_TRUE(is_invalid("\r\r\n"));
    EXPECT_TRUE(is_invalid("A: b\0c\n\n"sv));
}

TEST(ResponseHead, WrongLineIsSeenBeforeItsEnd)  // the service may never send one
{
    EXPECT_TRUE(is_invalid("HTTP/1.0 200 OK\r\nBad_"));
    EXPECT_TRUE(is_invalid("A: b\rc"));
    EXPECT_TRUE(needs_more("A: b\r"));
    EXPECT_TRUE(needs_more("A: b\r\n\r"));
}

TEST(ResponseHead, HasALimit)
{
    std::string text = "A: ";
    text.append(kMaxHeadBytes - text.size() - 4, 'x');
    text += "\r\n\r\n";
    ASSERT_EQ(text.size(), kMaxHeadBytes);
    EXPECT_EQ(parse(text).consumed, kMaxHeadBytes);
    EXPECT_EQ(parse(text + "body").consumed, kMaxHeadBytes);

    text.insert(3, "x");
    EXPECT_TRUE(needs_more(text.substr(0, kMaxHeadBytes - 1)));
    for (const std::size_t size : {kMaxHeadBytes, kMaxHeadBytes + 1}) {
        const auto head = parse_response_head(std::string_view(text).substr(0, size));
        ASSERT_FALSE(head);
        EXPECT_EQ(head.error(), HeadError::too_long);
    }
}

TEST(ResponseHead, StatusLineCountsTowardsTheLimit)
{
    const std::string text = "HTTP/" + std::string(kMaxHeadBytes, 'x');
    ASSERT_FALSE(parse_response_head(text));
    EXPECT_EQ(parse_response_head(text).error(), HeadError::too_long);
}

TEST(ResponseHead, ManySmallHeadersFit)
{
    std::string text;
    for (std::size_t i = 0; i < kMaxHeadBytes / 2 - 1; ++i) {
        text += "a\n";
    }
    EXPECT_EQ(parse(text + "\n").headers.size(), kMaxHeadBytes / 2 - 1);
}

struct BodyCase {
    std::string_view head;
    BodyEnd end;
    bool keep_alive;
};

TEST(ResponseHead, BodyEndsAsRfc9112Section6Says)
{
    using enum BodyEnd;
    for (const auto& [head, end, keep_alive] : {
             BodyCase{"HTTP/1.1 200 OK\r\nContent-Length: 5", length, true},
             {"HTTP/1.1 404 Not Found\r\ncontent-length: 0", length, true},
             {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5", length, true},
             {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6", close, false},
             {"HTTP/1.1 200 OK\r\nContent-Length: -5", close, false},
             {"HTTP/1.1 200 OK\r\nContent-Length: 5, 5", close, false},
             {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999", close, false},
             {"HTTP/1.1 200 OK\r\nContent-Length:", close, false},
             {"HTTP/1.1 200 OK\r\nContent-Length: x\r\nContent-Length: 5", close, false},
             {"HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED", chunked, true},
             {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked", close, false},
             {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked", close,
              false},
             {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5", close, false},
             {"HTTP/1.1 200 OK\r\nA: b", close, false},
             {"HTTP/1.1 204 No Content\r\nA: b", none, true},
             {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5", none, true},
             {"HTTP/1.1 204 No Content\r\nConnection: close", none, false},
             {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: Keep-Alive", length, true},
             {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: Close", length, false},
             {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: x,\tclose", length, false},
             {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: x\r\nConnection: close, y",
              length, false},
             {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: closed", length, true},
             {"HTTP/1.0 200 OK\r\nContent-Length: 5", length, false},
             {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive", length, false},
             {"HTTP/2 200 OK\r\nContent-Length: 5", length, false},
             {"Content-Length: 5", length, false},
         }) {
        const ResponseHead parsed = parse(std::string(head) + "\r\n\r\n");
        EXPECT_EQ(parsed.body_end, end) << head;
        EXPECT_EQ(parsed.keep_alive, keep_alive) << head;
    }
    EXPECT_EQ(parse("HTTP/1.1 200 OK\nContent-Length: 18446744073709551615\n\n").content_length,
              18446744073709551615u);
}

TEST(ResponseHead, InformationalHeadsAreNotTheAnswer)
{
    EXPECT_TRUE(parse("HTTP/1.1 100 Continue\r\n\r\n").is_informational());
    EXPECT_TRUE(parse("HTTP/1.1 103 Early Hints\r\n\r\n").is_informational());
    EXPECT_FALSE(parse("HTTP/1.1 101 Switching Protocols\r\n\r\n").is_informational());
    EXPECT_FALSE(parse("HTTP/1.1 200 OK\r\n\r\n").is_informational());
    EXPECT_FALSE(parse("A: b\r\n\r\n").is_informational());
}

}  // namespace
}  // namespace postern::http
