#pragma once

#include <array>
#include <cstdint>

#include "tls/lean/engine.h"
#include "tls/lean/suite.h"

namespace postern::tls::lean {

// What one direction of a connection is protected with (RFC 8446 section 7.3). Wipes itself.
struct TrafficKeys {
    std::array<unsigned char, kSecretBytesMax> secret{};
    std::array<unsigned char, kKeyBytesMax> key{};
    std::array<unsigned char, kIvBytes> iv{};
    std::uint64_t sequence = 0;  // of the next record

    TrafficKeys() = default;
    TrafficKeys(const TrafficKeys&) = default;
    TrafficKeys& operator=(const TrafficKeys&) = default;
    ~TrafficKeys();

    Bytes key_of(Suite suite) const { return Bytes(key).first(facts_of(suite).key_bytes); }
    // Of the next record (section 5.3).
    std::array<unsigned char, kIvBytes> nonce() const;
};

// Key and IV from the secret; the next record is the first one.
void derive(TrafficKeys& keys, Suite suite);
// The secret's successor, that is what a KeyUpdate brings (section 7.2), and its key and IV. The
// engine forgets the old key.
void update(TrafficKeys& keys, Suite suite, Engine& engine);
// The successor alone.
void update_secret(TrafficKeys& keys, Suite suite);

}  // namespace postern::tls::lean
