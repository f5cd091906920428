#include "http/response_body.h"

#include <gtest/gtest.h>

#include <string>

namespace postern::http {
namespace {

std::expected<std::optional<std::size_t>, BadBody> chunked_body_size(std::string_view input)
{
    ResponseHead head;
    head.body_end = BodyEnd::chunked;
    return body_size(head, input);
}

bool is_bad(std::string_view text)
{
    return !chunked_body_size(text).has_value();
}

bool needs_more(std::string_view text)
{
    const auto size = chunked_body_size(text);
    return size && !*size;
}

TEST(ResponseBody, InChunksEndsAfterTheEmptyOneAndItsTrailers)
{
    for (const std::string_view body : {
             "0\r\n\r\n",
             "5\r\nhello\r\n0\r\n\r\n",
             "5;name=value\r\nhello\r\n1 \r\nx\r\n000\r\n\r\n",
             "a\r\n0\r\n\r\n0\r\n\r\n\r\n0\r\nTrailer: x\r\nAnother: y\r\n\r\n",
             "A\r\n0123456789\r\n0\r\n\r\n",
         }) {
        const std::string text = std::string(body) + "HTTP/1.1 ...";
        for (std::size_t i = 0; i < body.size(); ++i) {
            EXPECT_TRUE(needs_more(text.substr(0, i))) << body << i;
        }
        for (std::size_t i = body.size(); i <= text.size(); ++i) {
            EXPECT_EQ(**chunked_body_size(std::string_view(text).substr(0, i)), body.size());
        }
    }
}

TEST(ResponseBody, InChunksIsBadWithoutASizeOrWithDataThatIsLonger)
{
    EXPECT_TRUE(is_bad("\r\n"));
    EXPECT_TRUE(is_bad("x\r\n"));
    EXPECT_TRUE(is_bad("-1\r\n"));
    EXPECT_TRUE(is_bad("0x5\r\n"));
    EXPECT_TRUE(is_bad(";a=b\r\n"));
    EXPECT_TRUE(is_bad("5\r\nhelloX\r\n"));
    EXPECT_TRUE(is_bad("5\r\nhello\n\n"));
}

TEST(ResponseBody, SizeOfAChunkOverflowsNothing)
{
    EXPECT_TRUE(needs_more("ffffffff\r\nx"));
    EXPECT_TRUE(is_bad("100000000\r\nx"));
    EXPECT_TRUE(is_bad("ffffffffffffffff\r\nx"));
}

TEST(ResponseBody, EndsWhereTheHeadSays)
{
    ResponseHead head;
    head.body_end = BodyEnd::none;
    EXPECT_EQ(**body_size(head, "next"), 0u);
    head.body_end = BodyEnd::length;
    head.content_length = 3;
    EXPECT_FALSE(*body_size(head, "ab"));
    EXPECT_EQ(**body_size(head, "abc"), 3u);
    EXPECT_EQ(**body_size(head, "abcd"), 3u);
    head.content_length = 0;
    EXPECT_EQ(**body_size(head, ""), 0u);
    head.body_end = BodyEnd::close;
    EXPECT_FALSE(*body_size(head, "abc"));
}

}  // namespace
}  // namespace postern::http
