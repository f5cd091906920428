#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace postern {

TEST(Crc32c, KnownSums)  // RFC 3720 appendix B.4, and the usual check value
{
    EXPECT_EQ(crc32c(""), 0u);
    EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
    EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
    EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
}

TEST(Crc32c, GoesOnOverPieces)
{
    EXPECT_EQ(crc32c("6789", crc32c("12345")), crc32c("123456789"));
}

}  // namespace postern
