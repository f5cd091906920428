#include "base/md5.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

TEST(Md5, TestSuiteOfRfc1321)  // appendix A.5
{
    EXPECT_EQ(md5_hex(""), "d41d8cd98f00b204e9800998ecf8427e");
    EXPECT_EQ(md5_hex("a"), "0cc175b9c0f1b6a831c399e269772661");
    EXPECT_EQ(md5_hex("abc"), "900150983cd24fb0d6963f7d28e17f72");
    EXPECT_EQ(md5_hex("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
    EXPECT_EQ(md5_hex("abcdefghijklmnopqrstuvwxyz"), "c3fcd3d76192e4007dfb496cca67e13b");
    EXPECT_EQ(md5_hex("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"),
              "d174ab98d277d9f5a5611c2c9f419d9f");
    EXPECT_EQ(md5_hex("1234567890123456789012345678901234567890"
                      "1234567890123456789012345678901234567890"),
              "57edf4a22be3c955ac49da2e2107b67a");
}

TEST(Md5, PiecesMakeTheSameDigestAsTheWhole)
{
    for (const std::size_t size : {55u, 56u, 57u, 63u, 64u, 65u, 119u, 120u, 128u, 1000u}) {
        const std::string text(size, 'x');
        for (const std::size_t piece : {1u, 7u, 63u, 64u}) {
            Md5 md5;
            for (std::size_t at = 0; at < size; at += piece) {
                md5.update(std::string_view(text).substr(at, piece));
            }
            Md5 whole;
            whole.update(text);
            EXPECT_EQ(md5.finish(), whole.finish()) << size << " in pieces of " << piece;
        }
    }
}

TEST(Md5, AMillionBytes)
{
    EXPECT_EQ(md5_hex(std::string(1'000'000, 'a')), "7707d6ae4e027c70eea2a935c2296f21");
}

TEST(HmacMd5, TestCasesOfRfc2202)  // section 2
{
    EXPECT_EQ(hmac_md5_hex(std::string(16, '\x0b'), "Hi There"),
              "9294727a3638bb1c13f48ef8158bfc9d");
    EXPECT_EQ(hmac_md5_hex("Jefe", "what do ya want for nothing?"),
              "750c783e6ab0b503eaa86e310a5db738");
    EXPECT_EQ(hmac_md5_hex(std::string(16, '\xaa'), std::string(50, '\xdd')),
              "56be34521d144c88dbb8c733f0e8b3f6");
    std::string key;
    for (char c = 1; c <= 25; ++c) {
        key += c;
    }
    EXPECT_EQ(hmac_md5_hex(key, std::string(50, '\xcd')), "697eaf0aca3a3aea3a75164746ffaa79");
    EXPECT_EQ(hmac_md5_hex(std::string(16, '\x0c'), "Test With Truncation"),
              "56461ef2342edc00f9bab995690efd4c");
    EXPECT_EQ(hmac_md5_hex(std::string(80, '\xaa'),
                           "Test Using Larger Than Block-Size Key - Hash Key First"),
              "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
    EXPECT_EQ(hmac_md5_hex(std::string(80, '\xaa'),
                           "Test Using Larger Than Block-Size Key and Larger Than One Block-Size "
                           "Data"),
              "6f630fad67cda0ee1fb1f562db3aa53e");
}

TEST(HmacMd5, KeysAroundTheBlockSize)
{
    EXPECT_NE(hmac_md5_hex(std::string(64, 'k'), "x"), hmac_md5_hex(std::string(65, 'k'), "x"));
    EXPECT_NE(hmac_md5_hex(std::string(63, 'k'), "x"), hmac_md5_hex(std::string(64, 'k'), "x"));
}

TEST(Apop, ExampleOfRfc1939)  // section 7
{
    constexpr auto kChallenge = "<1896.697170952@dbc.mtview.ca.us>";
    EXPECT_TRUE(apop_matches(kChallenge, "tanstaaf", "c4c9334bac560ecc979e58001b3e22fb"));
    EXPECT_TRUE(apop_matches(kChallenge, "tanstaaf", "C4C9334BAC560ECC979E58001B3E22FB"));
    EXPECT_FALSE(apop_matches(kChallenge, "tanstaag", "c4c9334bac560ecc979e58001b3e22fb"));
    EXPECT_FALSE(apop_matches(kChallenge, "tanstaaf", "c4c9334bac560ecc979e58001b3e22fc"));
    EXPECT_FALSE(apop_matches(kChallenge, "tanstaaf", "c4c9334bac560ecc979e58001b3e22f"));
    EXPECT_FALSE(apop_matches(kChallenge, "tanstaaf", ""));
}

TEST(CramMd5, ExampleOfRfc2195)  // section 2
{
    constexpr auto kChallenge = "<1896.697170952@postoffice.reston.mci.net>";
    EXPECT_TRUE(
        cram_md5_matches(kChallenge, "tanstaaftanstaaf", "b913a602c7eda7a495b4e6e7334d3890"));
    EXPECT_FALSE(
        cram_md5_matches(kChallenge, "tanstaaftanstaaf", "b913a602c7eda7a495b4e6e7334d3891"));
    EXPECT_FALSE(cram_md5_matches(kChallenge, "", "b913a602c7eda7a495b4e6e7334d3890"));
    EXPECT_FALSE(cram_md5_matches(kChallenge, "tanstaaftanstaaf", ""));
}

}  // namespace
}  // namespace postern
