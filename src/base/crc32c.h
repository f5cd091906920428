#pragma once

#include <cstdint>
#include <string_view>

namespace postern {

// The checksum CRC-32C (Castagnoli), RFC 9260 appendix A. To go on over several pieces, `sum` is
// what the one before came to.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t sum = 0);

}  // namespace postern
