#include "base/siphash.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace postern {
namespace {

// The vectors of the reference implementation: key 00 01 ... 0f, text 00 01 ... of each length.
TEST(SipHash, GivesTheVectorsOfItsAuthors)
{
    const SipHash hash({.first = 0x0706050403020100, .second = 0x0f0e0d0c0b0a0908});
    constexpr std::array<std::uint64_t, 16> kExpected{
        0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
        0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
        0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
        0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5};
    std::string text;
    for (const std::uint64_t expected : kExpected) {
        EXPECT_EQ(hash(text), expected) << text.size() << " bytes";
        text += static_cast<char>(text.size());
    }
}

TEST(SipHash, HasAKeyOfItsOwnEachTime)
{
    EXPECT_NE(SipHash(SipHash::random_key())("bob"), SipHash(SipHash::random_key())("bob"));
}

}  // namespace
}  // namespace postern
