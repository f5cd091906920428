#include "base/base64.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

TEST(Base64, VectorsOfRfc4648Section10)
{
    const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                           {"f", "Zg=="},
                                                           {"fo", "Zm8="},
                                                           {"foo", "Zm9v"},
                                                           {"foob", "Zm9vYg=="},
                                                           {"fooba", "Zm9vYmE="},
                                                           {"foobar", "Zm9vYmFy"}};
    for (const auto& [plain, encoded] : vectors) {
        EXPECT_EQ(base64_encode(plain), encoded);
        EXPECT_EQ(base64_decode(encoded), plain);
    }
}

TEST(Base64, AllBytes)
{
    std::string bytes;
    for (int i = 0; i < 256; ++i) {
        bytes += static_cast<char>(i);
    }
    for (std::size_t size = 0; size <= bytes.size(); ++size) {
        const std::string part = bytes.substr(0, size);
        EXPECT_EQ(base64_decode(base64_encode(part)), part);
    }
}

TEST(Base64, AsNginxReadsIt)
{
    EXPECT_EQ(base64_decode("Zg"), "f");           // no padding
    EXPECT_EQ(base64_decode("="), "");             // an empty initial response
    EXPECT_EQ(base64_decode("Zg==garbage"), "f");  // the end is the end
    EXPECT_EQ(base64_decode("Z"), std::nullopt);
    EXPECT_EQ(base64_decode("Zm9vY"), std::nullopt);
    for (const auto* text : {"*", "Zg Zg", "Zm9v\n", "Zm-_", "\xff\xff\xff\xff"}) {
        EXPECT_EQ(base64_decode(text), std::nullopt) << text;
    }
}

}  // namespace
}  // namespace postern
