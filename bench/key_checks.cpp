#include "bench/key_checks.h"

// Engines are deprecated, and what comes after them is what is too slow here.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/engine.h>
#include <openssl/evp.h>

#include <array>
#include <cstddef>

namespace postern::bench {

namespace {

constexpr unsigned kVerifiedOneIn = 16;
constexpr std::array kKinds{EVP_PKEY_EC, EVP_PKEY_RSA};

using Verify = int (*)(EVP_PKEY_CTX* context, const unsigned char* signature,
                       std::size_t signature_bytes, const unsigned char* digest,
                       std::size_t digest_bytes);

Verify verify_really = nullptr;

int verify_sometimes(EVP_PKEY_CTX* context, const unsigned char* signature,
                     std::size_t signature_bytes, const unsigned char* digest,
                     std::size_t digest_bytes)
{
    static unsigned count = 0;
    return count++ % kVerifiedOneIn == 0
               ? verify_really(context, signature, signature_bytes, digest, digest_bytes)
               : 1;
}

// OpenSSL's own methods for elliptic keys, with one function changed. Null if it has none.
EVP_PKEY_METHOD* elliptic_methods()
{
    const EVP_PKEY_METHOD* const original = EVP_PKEY_meth_find(EVP_PKEY_EC);
    EVP_PKEY_METHOD* const changed = EVP_PKEY_meth_new(EVP_PKEY_EC, 0);
    if (original == nullptr || changed == nullptr) {
        return nullptr;
    }
    EVP_PKEY_meth_copy(changed, original);
    int (*initialise)(EVP_PKEY_CTX*) = nullptr;
    EVP_PKEY_meth_get_verify(original, &initialise, &verify_really);
    EVP_PKEY_meth_set_verify(changed, initialise, verify_sometimes);
    return verify_really != nullptr ? changed : nullptr;
}

// Which kinds of keys the engine looks after, or the methods of one of them, as
// ENGINE_PKEY_METHS_PTR has it.
int methods(ENGINE*, EVP_PKEY_METHOD** wanted, const int** kinds, int kind)
{
    if (wanted == nullptr) {
        *kinds = kKinds.data();
        return static_cast<int>(kKinds.size());
    }
    static EVP_PKEY_METHOD* const elliptic = elliptic_methods();
    *wanted = kind == EVP_PKEY_EC && elliptic != nullptr
                  ? elliptic
                  : const_cast<EVP_PKEY_METHOD*>(EVP_PKEY_meth_find(kind));
    return *wanted != nullptr;
}

}  // namespace

bool simplify_key_checks()
{
    ENGINE* const engine = ENGINE_new();
    const bool done = engine != nullptr && ENGINE_set_id(engine, "postern_bench") == 1 &&
                      ENGINE_set_name(engine, "cheap checks of keys") == 1 &&
                      ENGINE_set_pkey_meths(engine, methods) == 1 && ENGINE_add(engine) == 1 &&
                      ENGINE_register_pkey_meths(engine) == 1;
    ENGINE_free(engine);  // OpenSSL's list has it now
    return done;
}

}  // namespace postern::bench
