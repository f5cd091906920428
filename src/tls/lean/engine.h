#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "tls/lean/suite.h"

struct evp_cipher_ctx_st;

namespace postern::tls::lean {

using Bytes = std::span<const unsigned char>;

// What OpenSSL computes with: an event loop has one of these, which all its connections share, so
// that they own keys and nothing else. For each suite and direction it remembers whose key was set
// last, as bulk has many records of one key.
class Engine
{
public:
    // AES-GCM is safe for 2^24.5 full records of one key (RFC 8446 section 5.5).
    static constexpr std::uint64_t kRecordsPerKey = std::uint64_t{1} << 24;

    Engine();
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    // Does this OpenSSL have what the suite needs?
    bool has(Suite suite);

    // HKDF-Expand-Label (RFC 8446 section 7.1) without a context.
    static void expand_label(Suite suite, Bytes secret, std::string_view label,
                             std::span<unsigned char> out);

    // One record's keys, nonce and header (the additional data).
    struct Sealing {
        Suite suite;
        Bytes key;
        const unsigned char* nonce;
        Bytes header;
    };
    // Writes as much as `content` and `trailer` have and then the tag to `out`, which may not
    // overlap them.
    void seal(const Sealing& how, Bytes content, Bytes trailer, unsigned char* out);
    // `sealed` ends with the tag; the rest of it, opened, goes to `out`. False: it is forged.
    bool open(const Sealing& how, Bytes sealed, unsigned char* out);

    // The owner of this key has gone.
    void forget_key(Suite suite, Bytes key);

    // A test may want fewer.
    std::uint64_t records_per_key = kRecordsPerKey;
    // For a record that its reader has no room for.
    std::span<unsigned char> spare();

private:
    struct Free {
        void operator()(evp_cipher_ctx_st* context) const;
    };
    struct Aead {
        std::unique_ptr<evp_cipher_ctx_st, Free> context;
        std::array<unsigned char, kKeyBytesMax> key{};  // that the context holds
    };
    enum Direction : unsigned char { kOpens, kSeals };

    Aead* aead(Suite suite, Direction direction);
    evp_cipher_ctx_st* prepared(const Sealing& how, Direction direction);

    Aead aeads_[kSuites][2];
    std::unique_ptr<unsigned char[]> spare_;
};

}  // namespace postern::tls::lean
