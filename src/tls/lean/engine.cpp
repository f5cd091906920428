#include "tls/lean/engine.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <algorithm>
#include <new>

#include "base/assert.h"
#include "tls/hkdf.h"
#include "tls/lean/record.h"

namespace postern::tls::lean {

namespace {

constexpr unsigned char kNoKey[kKeyBytesMax] = {};

Bytes octets(std::string_view text)
{
    return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}

int size_of(Bytes bytes)
{
    return static_cast<int>(bytes.size());
}

}  // namespace

void Engine::Free::operator()(evp_cipher_ctx_st* context) const
{
    EVP_CIPHER_CTX_free(context);
}

Engine::Engine() = default;

Engine::~Engine()
{
    for (auto& of_suite : aeads_) {
        for (Aead& aead : of_suite) {
            OPENSSL_cleanse(aead.key.data(), aead.key.size());
        }
    }
}

bool Engine::has(Suite suite)
{
    const bool has_all = hash_of_suite(facts_of(suite).digest) != nullptr &&
                         aead(suite, kOpens) != nullptr && aead(suite, kSeals) != nullptr;
    if (!has_all) {
        ERR_clear_error();
    }
    return has_all;
}

void Engine::expand_label(Suite suite, Bytes secret, std::string_view label,
                          std::span<unsigned char> out)
{
    const bool done = hkdf_expand_label(hash_of_suite(facts_of(suite).digest), secret,
                                        octets("tls13 "), octets(label), {}, out);
    forget_keys();
    POSTERN_ASSERT(done);
}

Engine::Aead* Engine::aead(Suite suite, Direction direction)
{
    Aead& made = aeads_[static_cast<std::size_t>(suite)][direction];
    if (!made.context) {
        EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, facts_of(suite).cipher, nullptr);
        made.context.reset(EVP_CIPHER_CTX_new());
        // With a key, so that whatever `key` says is so.
        if (cipher == nullptr || !made.context ||
            EVP_CipherInit_ex2(made.context.get(), cipher, kNoKey, nullptr,
                               direction == kSeals ? 1 : 0, nullptr) != 1) {
            made.context.reset();
        }
        EVP_CIPHER_free(cipher);
    }
    return made.context ? &made : nullptr;
}

// A context with the record's key and nonce.
evp_cipher_ctx_st* Engine::prepared(const Sealing& how, Direction direction)
{
    Aead* const aead = this->aead(how.suite, direction);
    POSTERN_ASSERT(aead != nullptr);
    EVP_CIPHER_CTX* const context = aead->context.get();
    // The keys themselves are compared, as nothing else is sure to tell them apart.
    const bool is_set = CRYPTO_memcmp(aead->key.data(), how.key.data(), how.key.size()) == 0;
    const bool done = EVP_CipherInit_ex2(context, nullptr, is_set ? nullptr : how.key.data(),
                                         how.nonce, direction == kSeals ? 1 : 0, nullptr) == 1;
    POSTERN_ASSERT(done);
    if (!is_set) {
        std::ranges::copy(how.key, aead->key.begin());
    }
    int size = 0;
    const bool has_header =
        EVP_CipherUpdate(context, nullptr, &size, how.header.data(), size_of(how.header)) == 1;
    POSTERN_ASSERT(has_header);
    return context;
}

void Engine::seal(const Sealing& how, Bytes content, Bytes trailer, unsigned char* out)
{
    EVP_CIPHER_CTX* const context = prepared(how, kSeals);
    int size = 0;
    bool done = content.empty() ||
                EVP_EncryptUpdate(context, out, &size, content.data(), size_of(content)) == 1;
    out += content.size();
    done = done && EVP_EncryptUpdate(context, out, &size, trailer.data(), size_of(trailer)) == 1;
    out += trailer.size();
    done = done && EVP_EncryptFinal_ex(context, out, &size) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTagBytes, out) == 1;
    POSTERN_ASSERT(done);
}

bool Engine::open(const Sealing& how, Bytes sealed, unsigned char* out)
{
    EVP_CIPHER_CTX* const context = prepared(how, kOpens);
    const Bytes text = sealed.first(sealed.size() - kTagBytes);
    auto* const tag = const_cast<unsigned char*>(sealed.data() + text.size());
    int size = 0;
    const bool done = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag) == 1 &&
                      EVP_DecryptUpdate(context, out, &size, text.data(), size_of(text)) == 1 &&
                      EVP_DecryptFinal_ex(context, out + text.size(), &size) == 1;
    if (!done) {
        ERR_clear_error();
    }
    return done;
}

void Engine::forget_key(Suite suite, Bytes key)
{
    for (const Direction direction : {kOpens, kSeals}) {
        Aead& aead = aeads_[static_cast<std::size_t>(suite)][direction];
        if (aead.context && CRYPTO_memcmp(aead.key.data(), key.data(), key.size()) == 0) {
            // The nonce too: the first record's is the IV.
            EVP_CipherInit_ex2(aead.context.get(), nullptr, kNoKey, kNoKey,
                               direction == kSeals ? 1 : 0, nullptr);
            OPENSSL_cleanse(aead.key.data(), aead.key.size());
        }
    }
}

std::span<unsigned char> Engine::spare()
{
    if (!spare_) {
        spare_ = std::make_unique_for_overwrite<unsigned char[]>(kSealedMax);
    }
    return {spare_.get(), kSealedMax};
}

}  // namespace postern::tls::lean
