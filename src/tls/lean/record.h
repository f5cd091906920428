// Records of TLS 1.3 (RFC 8446 section 5).
#pragma once

#include <cstddef>

#include "tls/lean/suite.h"

namespace postern::tls::lean {

enum class ContentType : unsigned char { alert = 21, handshake = 22, application_data = 23 };

constexpr std::size_t kHeaderBytes = 5;
constexpr std::size_t kContentMax = 16384;             // section 5.1
constexpr std::size_t kSealedMax = kContentMax + 256;  // section 5.2: with padding and tag
// What a record adds to its content: header, type and tag.
constexpr std::size_t kOverheadBytes = kHeaderBytes + 1 + kTagBytes;

}  // namespace postern::tls::lean
