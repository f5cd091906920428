#include "tls/lean/suite.h"

namespace postern::tls::lean {

namespace {

constexpr SuiteFacts kFacts[kSuites] = {
    {0x1301, "TLS_AES_128_GCM_SHA256", "AES-128-GCM", "SHA256", 16, 32, true},
    {0x1302, "TLS_AES_256_GCM_SHA384", "AES-256-GCM", "SHA384", 32, 48, true},
    {0x1303, "TLS_CHACHA20_POLY1305_SHA256", "ChaCha20-Poly1305", "SHA256", 32, 32, false},
};

}  // namespace

const SuiteFacts& facts_of(Suite suite)
{
    return kFacts[static_cast<std::size_t>(suite)];
}

std::optional<Suite> suite_of(std::uint16_t id)
{
    for (std::size_t i = 0; i < kSuites; ++i) {
        if (kFacts[i].id == id) {
            return static_cast<Suite>(i);
        }
    }
    return std::nullopt;
}

}  // namespace postern::tls::lean
