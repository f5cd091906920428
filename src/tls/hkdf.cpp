// OpenSSL's plain structures of a hash are half as dear as its EVP contexts for some 100 bytes, and
// can be copied: what a key has made of them is worked out once for all that is derived from it.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "tls/hkdf.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>

namespace postern::tls {

namespace {

// A secret on the stack, wiped when it goes.
template <std::size_t kBytes>
struct Wiped : std::array<unsigned char, kBytes> {
    Wiped() = default;
    Wiped(const Wiped&) = delete;
    Wiped& operator=(const Wiped&) = delete;
    ~Wiped() { OPENSSL_cleanse(this->data(), kBytes); }
};

struct Sha256 {
    static constexpr std::size_t kBlock = SHA256_CBLOCK;
    static constexpr std::size_t kBytes = SHA256_DIGEST_LENGTH;
    SHA256_CTX state;

    void begin() { SHA256_Init(&state); }
    void add(Octets octets) { SHA256_Update(&state, octets.data(), octets.size()); }
    void end(unsigned char* out) { SHA256_Final(out, &state); }
};

struct Sha384 {
    static constexpr std::size_t kBlock = SHA512_CBLOCK;
    static constexpr std::size_t kBytes = SHA384_DIGEST_LENGTH;
    SHA512_CTX state;

    void begin() { SHA384_Init(&state); }
    void add(Octets octets) { SHA384_Update(&state, octets.data(), octets.size()); }
    void end(unsigned char* out) { SHA384_Final(out, &state); }
};

// HMAC with a key that is there.
template <typename Hash>
class Keyed
{
public:
    bool is_for(Octets key) const
    {
        return size_ == key.size() && CRYPTO_memcmp(key_.data(), key.data(), size_) == 0;
    }

    // At most a block of them.
    void set(Octets key)
    {
        size_ = key.size();
        std::copy(key.begin(), key.end(), key_.begin());
        Wiped<Hash::kBlock> pad;
        pad.fill(0x36);
        begin(inner_, pad);
        pad.fill(0x5c);
        begin(outer_, pad);
    }

    void digest(std::initializer_list<Octets> parts, unsigned char* out) const
    {
        Hash hash = inner_;
        for (const Octets part : parts) {
            hash.add(part);
        }
        hash.end(out);
        hash = outer_;
        hash.add({out, Hash::kBytes});
        hash.end(out);
        OPENSSL_cleanse(&hash, sizeof hash);
    }

private:
    void begin(Hash& hash, std::array<unsigned char, Hash::kBlock>& pad) const
    {
        for (std::size_t i = 0; i < size_; ++i) {
            pad[i] ^= key_[i];
        }
        hash.begin();
        hash.add(pad);
    }

    std::size_t size_ = ~std::size_t{0};  // none
    std::array<unsigned char, Hash::kBlock> key_{};
    Hash inner_{}, outer_{};
};

// The last two keys of this thread. Those of a handshake come in families: a secret, what is
// derived from it, and from that.
template <typename Hash>
class RecentKeys
{
public:
    const Keyed<Hash>& of(Octets key)
    {
        for (std::size_t i = 0; i < keys_.size(); ++i) {
            if (keys_[i].is_for(key)) {
                last_ = i;
                return keys_[i];
            }
        }
        last_ = 1 - last_;
        keys_[last_].set(key);
        is_empty_ = false;
        return keys_[last_];
    }

    bool is_empty() const { return is_empty_; }

    void forget()
    {
        if (!is_empty_) {
            OPENSSL_cleanse(keys_.data(), sizeof keys_);
            keys_ = {};
            is_empty_ = true;
        }
    }

private:
    std::array<Keyed<Hash>, 2> keys_;
    std::size_t last_ = 0;
    bool is_empty_ = true;
};

template <typename Hash>
RecentKeys<Hash>& recent_keys()
{
    thread_local constinit RecentKeys<Hash> keys;
    return keys;
}

template <typename Hash>
void hmac_with(Octets key, std::initializer_list<Octets> parts, unsigned char* out)
{
    Wiped<Hash::kBytes> short_key;
    if (key.size() > Hash::kBlock) {
        Hash hash;
        hash.begin();
        hash.add(key);
        hash.end(short_key.data());
        OPENSSL_cleanse(&hash, sizeof hash);
        key = short_key;
    }
    recent_keys<Hash>().of(key).digest(parts, out);
}

bool is_sha256(const EVP_MD* hash)
{
    return hash == hash_of_suite("SHA256");
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

void hmac(const evp_md_st* hash, Octets key, std::initializer_list<Octets> parts,
          unsigned char* out)
{
    if (is_sha256(hash)) {
        hmac_with<Sha256>(key, parts, out);
    } else {
        hmac_with<Sha384>(key, parts, out);
    }
}

bool remembers_keys()
{
    return !recent_keys<Sha256>().is_empty() || !recent_keys<Sha384>().is_empty();
}

void forget_keys()
{
    recent_keys<Sha256>().forget();
    recent_keys<Sha384>().forget();
}

void hkdf_extract(const evp_md_st* hash, Octets salt, Octets secret, unsigned char* out)
{
    hmac(hash, salt, {secret}, out);
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
        hmac(hash, secret,
             {previous, head, prefix, label, {&context_bytes, 1}, context, {&number, 1}},
             block.data());
        previous = {block.data(), size};
        const std::size_t taken = std::min(size, out.size());
        std::copy_n(block.data(), taken, out.data());
        out = out.subspan(taken);
    }
    return true;
}

}  // namespace postern::tls
