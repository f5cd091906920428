#include "tls/lean/traffic_keys.h"

#include <openssl/crypto.h>

namespace postern::tls::lean {

namespace {

Bytes secret_of(const TrafficKeys& keys, Suite suite)
{
    return Bytes(keys.secret).first(facts_of(suite).secret_bytes);
}

}  // namespace

TrafficKeys::~TrafficKeys()
{
    OPENSSL_cleanse(secret.data(), secret.size());
    OPENSSL_cleanse(key.data(), key.size());
    OPENSSL_cleanse(iv.data(), iv.size());
}

std::array<unsigned char, kIvBytes> TrafficKeys::nonce() const
{
    std::array<unsigned char, kIvBytes> nonce = iv;
    for (std::size_t i = 0; i < sizeof sequence; ++i) {
        nonce[kIvBytes - 1 - i] ^= static_cast<unsigned char>(sequence >> 8 * i);
    }
    return nonce;
}

void derive(TrafficKeys& keys, Suite suite)
{
    const Bytes secret = secret_of(keys, suite);
    Engine::expand_label(suite, secret, "key",
                         std::span(keys.key).first(facts_of(suite).key_bytes));
    Engine::expand_label(suite, secret, "iv", keys.iv);
    keys.sequence = 0;
}

void update_secret(TrafficKeys& keys, Suite suite)
{
    std::array<unsigned char, kSecretBytesMax> next{};
    const auto part = std::span(next).first(facts_of(suite).secret_bytes);
    Engine::expand_label(suite, secret_of(keys, suite), "traffic upd", part);
    keys.secret = next;
    OPENSSL_cleanse(next.data(), next.size());
}

void update(TrafficKeys& keys, Suite suite, Engine& engine)
{
    update_secret(keys, suite);
    engine.forget_key(suite, keys.key_of(suite));
    derive(keys, suite);
}

}  // namespace postern::tls::lean
