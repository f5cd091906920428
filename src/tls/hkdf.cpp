#include "tls/hkdf.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>

namespace postern::tls {

namespace {

struct FreeContext {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

// A context costs more than the hash of a few bytes: each thread keeps one a hash function.
EVP_MD_CTX* context_of(const EVP_MD* hash)
{
    using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;
    thread_local const std::array<Context, 2> kept{Context(EVP_MD_CTX_new()),
                                                   Context(EVP_MD_CTX_new())};
    return kept[hash == hash_of_suite("SHA256") ? 0 : 1].get();
}

// A secret on the stack, wiped when it goes.
template <std::size_t kBytes>
struct Wiped : std::array<unsigned char, kBytes> {
    Wiped() = default;
    Wiped(const Wiped&) = delete;
    Wiped& operator=(const Wiped&) = delete;
    ~Wiped() { OPENSSL_cleanse(this->data(), kBytes); }
};

constexpr std::size_t kBlockMax = 128;  // SHA-384's

bool digest(EVP_MD_CTX* context, const EVP_MD* hash, Octets pad,
            std::initializer_list<Octets> parts, unsigned char* out)
{
    bool good = EVP_DigestInit_ex2(context, hash, nullptr) == 1 &&
                EVP_DigestUpdate(context, pad.data(), pad.size()) == 1;
    for (const Octets part : parts) {
        good = good && EVP_DigestUpdate(context, part.data(), part.size()) == 1;
    }
    return good && EVP_DigestFinal_ex(context, out, nullptr) == 1;
}

}  // namespace

const evp_md_st* hash_of_suite(std::string_view name)
{
    static const EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    static const EVP_MD* const sha384 = EVP_MD_fetch(nullptr, "SHA384", nullptr);
    const auto is = [name](std::string_view known) { return name == known; };
    if (is("SHA256") || is("SHA2-256") || is("SHA-256")) {
        return sha256;
    }
    return is("SHA384") || is("SHA2-384") || is("SHA-384") ? sha384 : nullptr;
}

std::size_t hash_bytes(const evp_md_st* hash)
{
    return static_cast<std::size_t>(EVP_MD_get_size(hash));
}

bool hmac(const evp_md_st* hash, Octets key, std::initializer_list<Octets> parts,
          unsigned char* out)
{
    const std::size_t block = static_cast<std::size_t>(EVP_MD_get_block_size(hash));
    EVP_MD_CTX* const context = context_of(hash);
    if (context == nullptr || block > kBlockMax) {
        return false;
    }
    Wiped<EVP_MAX_MD_SIZE> inner;
    if (key.size() > block) {
        if (!digest(context, hash, {}, {key}, inner.data())) {
            return false;
        }
        key = {inner.data(), hash_bytes(hash)};
    }
    Wiped<kBlockMax> inner_pad;
    Wiped<kBlockMax> outer_pad;
    for (std::size_t i = 0; i < block; ++i) {
        const unsigned char octet = i < key.size() ? key[i] : 0;
        inner_pad[i] = octet ^ 0x36;
        outer_pad[i] = octet ^ 0x5c;
    }
    const bool done =
        digest(context, hash, {inner_pad.data(), block}, parts, inner.data()) &&
        digest(context, hash, {outer_pad.data(), block}, {{inner.data(), hash_bytes(hash)}}, out);
    // A context that has ended holds the hash, which is a key: a new beginning wipes it.
    return EVP_DigestInit_ex2(context, hash, nullptr) == 1 && done;
}

bool hkdf_extract(const evp_md_st* hash, Octets salt, Octets secret, unsigned char* out)
{
    return hmac(hash, salt, {secret}, out);
}

bool hkdf_expand_label(const evp_md_st* hash, Octets secret, Octets prefix, Octets label,
                       Octets context, std::span<unsigned char> out)
{
    const std::size_t size = hash_bytes(hash);
    const std::size_t label_bytes = prefix.size() + label.size();
    if (label_bytes > 255 || context.size() > 255 || out.size() > 255 * size) {
        return false;
    }
    const std::array<unsigned char, 3> head{static_cast<unsigned char>(out.size() >> 8),
                                            static_cast<unsigned char>(out.size()),
                                            static_cast<unsigned char>(label_bytes)};
    const auto context_bytes = static_cast<unsigned char>(context.size());
    Wiped<EVP_MAX_MD_SIZE> block;
    Octets previous;
    for (unsigned char number = 1; !out.empty(); ++number) {
        if (!hmac(hash, secret,
                  {previous, head, prefix, label, {&context_bytes, 1}, context, {&number, 1}},
                  block.data())) {
            return false;
        }
        previous = {block.data(), size};
        const std::size_t taken = std::min(size, out.size());
        std::copy_n(block.data(), taken, out.data());
        out = out.subspan(taken);
    }
    return true;
}

}  // namespace postern::tls
