#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace postern::tls::lean {

// The cipher suites of TLS 1.3 (RFC 8446 appendix B.4) whose records we seal and open.
enum class Suite : unsigned char {
    aes_128_gcm_sha256,
    aes_256_gcm_sha384,
    chacha20_poly1305_sha256
};
constexpr std::size_t kSuites = 3;

// All of them have nonces of 12 bytes and tags of 16.
constexpr std::size_t kIvBytes = 12;
constexpr std::size_t kTagBytes = 16;
constexpr std::size_t kKeyBytesMax = 32;
constexpr std::size_t kSecretBytesMax = 48;

struct SuiteFacts {
    std::uint16_t id;
    const char* name;
    const char* cipher;  // as OpenSSL calls it
    const char* digest;
    std::size_t key_bytes;
    std::size_t secret_bytes;  // as many as the digest has
    bool wears_out;            // after so many records (RFC 8446 section 5.5)
};

const SuiteFacts& facts_of(Suite suite);
// Nothing: not one of ours.
std::optional<Suite> suite_of(std::uint16_t id);

}  // namespace postern::tls::lean
