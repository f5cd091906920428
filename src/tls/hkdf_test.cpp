#include "tls/hkdf.h"

#include <gtest/gtest.h>

#include <string>

#include "tls/heap_testing.h"
#include "tls/lean/testing.h"

namespace postern::tls {
namespace {

using lean::from_hex;

Octets as_octets(const std::string& text)
{
    return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}

std::string hmac_of(const char* hash, const std::string& key, const std::string& data)
{
    std::string out(hash_bytes(hash_of_suite(hash)), '\0');
    hmac(hash_of_suite(hash), as_octets(key), {as_octets(data)},
         reinterpret_cast<unsigned char*>(out.data()));
    return out;
}

// RFC 4231 section 4.2, 4.3 and 4.7 (a key longer than a block).
struct Vector {
    std::string key, data, sha256, sha384;
};

const Vector kVectors[] = {
    {std::string(20, '\x0b'), "Hi There",
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
     "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
     "faea9ea9076ede7f4af152e8b2fa9cb6"},
    {"Jefe", "what do ya want for nothing?",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
     "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
     "8e2240ca5e69e2c78b3239ecfab21649"},
    {std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First",
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
     "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c6"
     "0c2ef6ab4030fe8296248df163f44952"}};

// Each key comes when it is remembered, when another one was used in between, and when its place
// has been taken.
TEST(Hmac, MatchesTheStandard)
{
    for (const std::size_t i : {0, 0, 1, 0, 1, 2, 2, 0, 1, 2}) {
        const Vector& vector = kVectors[i];
        EXPECT_EQ(hmac_of("SHA256", vector.key, vector.data), from_hex(vector.sha256)) << i;
        EXPECT_EQ(hmac_of("SHA384", vector.key, vector.data), from_hex(vector.sha384)) << i;
        if (i == 2) {
            forget_keys();
        }
    }
}

// An HMAC's key is filled up with zeros: keys that differ in their length alone are the same to it,
// but a prefix is not.
TEST(Hmac, APrefixIsAnotherKey)
{
    const std::string key = "0123456789abcdef";
    const std::string of_all = hmac_of("SHA384", key, "data");
    EXPECT_NE(hmac_of("SHA384", key.substr(0, 8), "data"), of_all);
    EXPECT_NE(hmac_of("SHA384", key + "0", "data"), of_all);
    EXPECT_NE(hmac_of("SHA384", "", "data"), of_all);
    EXPECT_EQ(hmac_of("SHA384", key, "data"), of_all);
}

TEST(Hmac, ForgetsItsKeys)
{
    forget_keys();
    EXPECT_FALSE(remembers_keys());
    hmac_of("SHA256", "key", "data");
    EXPECT_TRUE(remembers_keys());
    forget_keys();
    EXPECT_FALSE(remembers_keys());
    hmac_of("SHA384", "key", "data");
    EXPECT_TRUE(remembers_keys());
    forget_keys();
    EXPECT_FALSE(remembers_keys());
}

TEST(Hmac, LeavesNothingOnTheHeap)
{
    std::string key = "123";
    std::string made = hmac_of("SHA256", key, key);
    const Hidden hidden({reinterpret_cast<unsigned char*>(made.data()), made.size()});
    EXPECT_EQ(hidden.count_on_heap(), 0u);
}

}  // namespace
}  // namespace postern::tls
