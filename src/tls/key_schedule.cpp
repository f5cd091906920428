#include "tls/key_schedule.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <new>
#include <optional>
#include <string_view>
#include <vector>

#include "base/assert.h"

#include "tls/hkdf.h"

namespace postern::tls {

namespace {

constexpr const char* kProvider = "postern";

thread_local TrafficSecretListener* secret_listener = nullptr;

// The inputs of one derivation, as OpenSSL's "TLS13-KDF" has them.
struct Inputs {
    int mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
    const EVP_MD* hash = nullptr;
    std::optional<Octets> key, salt;
    Octets prefix, label, data;
};

bool read_octets(const OSSL_PARAM& parameter, Octets& octets)
{
    const void* bytes = nullptr;
    std::size_t size = 0;
    if (OSSL_PARAM_get_octet_string_ptr(&parameter, &bytes, &size) != 1) {
        return false;
    }
    octets = {static_cast<const unsigned char*>(bytes), size};
    return true;
}

bool read_octets(const OSSL_PARAM& parameter, std::optional<Octets>& octets)
{
    return read_octets(parameter, octets.emplace());
}

bool read_mode(const OSSL_PARAM& parameter, int& mode)
{
    if (parameter.data_type == OSSL_PARAM_UTF8_STRING) {
        const std::string_view name(static_cast<const char*>(parameter.data));
        mode =
            name == "EXPAND_ONLY" ? EVP_KDF_HKDF_MODE_EXPAND_ONLY : EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
        return name == "EXPAND_ONLY" || name == "EXTRACT_ONLY";
    }
    return OSSL_PARAM_get_int(&parameter, &mode) == 1 &&
           (mode == EVP_KDF_HKDF_MODE_EXPAND_ONLY || mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY);
}

// False: a parameter is not what it should be. Those that we don't know are for others.
bool read_inputs(const OSSL_PARAM* parameters, Inputs& inputs)
{
    bool good = true;
    for (; parameters != nullptr && parameters->key != nullptr; ++parameters) {
        const OSSL_PARAM& one = *parameters;
        const std::string_view name(one.key);
        if (name == OSSL_KDF_PARAM_MODE) {
            good = good && read_mode(one, inputs.mode);
        } else if (name == OSSL_KDF_PARAM_DIGEST) {
            inputs.hash = hash_of_suite(static_cast<const char*>(one.data));
            good = good && inputs.hash != nullptr;
        } else if (name == OSSL_KDF_PARAM_KEY) {
            good = good && read_octets(one, inputs.key);
        } else if (name == OSSL_KDF_PARAM_SALT) {
            good = good && read_octets(one, inputs.salt);
        } else if (name == OSSL_KDF_PARAM_PREFIX) {
            good = good && read_octets(one, inputs.prefix);
        } else if (name == OSSL_KDF_PARAM_LABEL) {
            good = good && read_octets(one, inputs.label);
        } else if (name == OSSL_KDF_PARAM_DATA) {
            good = good && read_octets(one, inputs.data);
        }
    }
    return good;
}

// What each schedule begins with where there is no pre-shared key: the same for everybody.
struct Beginning {
    explicit Beginning(const EVP_MD* hash) : size(hash_bytes(hash))
    {
        constexpr std::array<unsigned char, EVP_MAX_MD_SIZE> kZeros{};
        EVP_Digest(nullptr, 0, nothing.data(), nullptr, hash, nullptr);
        hkdf_extract(hash, {}, {kZeros.data(), size}, early_secret.data());
        hkdf_expand_label(hash, {early_secret.data(), size}, octets("tls13 "), octets("derived"),
                          {nothing.data(), size}, {derived.data(), size});
    }
    static Octets octets(std::string_view text)
    {
        return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
    }
    static const Beginning& of(const EVP_MD* hash)
    {
        static const Beginning sha256(hash_of_suite("SHA256"));
        static const Beginning sha384(hash_of_suite("SHA384"));
        return hash == hash_of_suite("SHA256") ? sha256 : sha384;
    }

    std::size_t size;
    std::array<unsigned char, EVP_MAX_MD_SIZE> nothing{};  // Transcript-Hash("")
    std::array<unsigned char, EVP_MAX_MD_SIZE> early_secret{};
    std::array<unsigned char, EVP_MAX_MD_SIZE> derived{};  // from it, the salt of what comes next
};

// The next secret of the schedule: Derive-Secret of the last one, "salt", is the salt with which
// the new "key" is extracted. Zeros stand for what there is none of.
bool next_secret(const Inputs& inputs, unsigned char* out)
{
    constexpr std::array<unsigned char, EVP_MAX_MD_SIZE> kZeros{};
    const Beginning& beginning = Beginning::of(inputs.hash);
    const std::size_t size = beginning.size;
    const Octets key = inputs.key.value_or(Octets(kZeros.data(), size));
    if (!inputs.salt) {
        if (!inputs.key) {
            std::copy_n(beginning.early_secret.data(), size, out);
        } else {
            hkdf_extract(inputs.hash, {}, key, out);
        }
        return true;
    }
    const auto is = [](Octets octets, Octets known) { return std::ranges::equal(octets, known); };
    if (is(*inputs.salt, {beginning.early_secret.data(), size}) &&
        is(inputs.prefix, Beginning::octets("tls13 ")) &&
        is(inputs.label, Beginning::octets("derived"))) {
        hkdf_extract(inputs.hash, {beginning.derived.data(), size}, key, out);
        return true;
    }
    std::array<unsigned char, EVP_MAX_MD_SIZE> salt;
    const bool done = hkdf_expand_label(inputs.hash, *inputs.salt, inputs.prefix, inputs.label,
                                        {beginning.nothing.data(), size}, {salt.data(), size});
    if (done) {
        hkdf_extract(inputs.hash, {salt.data(), size}, key, out);
    }
    OPENSSL_cleanse(salt.data(), salt.size());
    return done;
}

void tell_secret(Octets label, Octets secret)
{
    const std::string_view name(reinterpret_cast<const char*>(label.data()), label.size());
    if (name == "c ap traffic" || name == "s ap traffic") {
        secret_listener->on_secret(name.starts_with('c'), secret);
    }
}

bool derive(const Inputs& inputs, std::span<unsigned char> out)
{
    if (inputs.hash == nullptr) {
        return false;
    }
    if (inputs.mode == EVP_KDF_HKDF_MODE_EXPAND_ONLY) {
        const bool done = inputs.key && hkdf_expand_label(inputs.hash, *inputs.key, inputs.prefix,
                                                          inputs.label, inputs.data, out);
        if (done && secret_listener != nullptr) {
            tell_secret(inputs.label, out);
        }
        return done;
    }
    return out.size() == hash_bytes(inputs.hash) && next_secret(inputs, out.data());
}

// What OpenSSL calls.

// Parameters that were given before the call that derives; TLS itself gives all with it.
struct Derivation {
    std::vector<OSSL_PARAM*> given;

    Derivation() = default;
    Derivation(const Derivation&) = delete;
    Derivation& operator=(const Derivation&) = delete;
    ~Derivation() { forget(); }
    void forget()
    {
        for (OSSL_PARAM* const parameters : given) {
            for (OSSL_PARAM* one = parameters; one->key != nullptr; ++one) {
                OPENSSL_cleanse(one->data, one->data_size);
            }
            OSSL_PARAM_free(parameters);
        }
        given.clear();
    }
};

void* make_derivation(void*)
{
    return new (std::nothrow) Derivation;
}

void free_derivation(void* derivation)
{
    delete static_cast<Derivation*>(derivation);
}

void reset_derivation(void* derivation)
{
    static_cast<Derivation*>(derivation)->forget();
}

int give_parameters(void* derivation, const OSSL_PARAM* parameters)
{
    Inputs checked;
    if (parameters == nullptr || parameters->key == nullptr) {
        return 1;
    }
    OSSL_PARAM* const copy =
        read_inputs(parameters, checked) ? OSSL_PARAM_dup(parameters) : nullptr;
    if (copy == nullptr) {
        return 0;
    }
    try {
        static_cast<Derivation*>(derivation)->given.push_back(copy);
    } catch (const std::bad_alloc&) {  // OpenSSL is not to see it
        OSSL_PARAM_free(copy);
        return 0;
    }
    return 1;
}

int derive_now(void* derivation, unsigned char* out, std::size_t size, const OSSL_PARAM* parameters)
{
    Inputs inputs;
    for (const OSSL_PARAM* const given : static_cast<Derivation*>(derivation)->given) {
        read_inputs(given, inputs);
    }
    return read_inputs(parameters, inputs) && derive(inputs, {out, size}) ? 1 : 0;
}

const OSSL_PARAM* known_parameters(void*, void*)
{
    static const OSSL_PARAM known[] = {OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_MODE, nullptr, 0),
                                       OSSL_PARAM_int(OSSL_KDF_PARAM_MODE, nullptr),
                                       OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, nullptr, 0),
                                       OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY, nullptr, 0),
                                       OSSL_PARAM_octet_string(OSSL_KDF_PARAM_SALT, nullptr, 0),
                                       OSSL_PARAM_octet_string(OSSL_KDF_PARAM_PREFIX, nullptr, 0),
                                       OSSL_PARAM_octet_string(OSSL_KDF_PARAM_LABEL, nullptr, 0),
                                       OSSL_PARAM_octet_string(OSSL_KDF_PARAM_DATA, nullptr, 0),
                                       OSSL_PARAM_END};
    return known;
}

// OpenSSL keeps functions of many types as this one.
template <typename Function>
OSSL_DISPATCH entry(int number, Function* function)
{
    return {number, reinterpret_cast<void (*)()>(function)};
}

const OSSL_ALGORITHM* algorithms(void*, int operation, int* may_not_be_kept)
{
    static const OSSL_DISPATCH kFunctions[] = {
        entry(OSSL_FUNC_KDF_NEWCTX, make_derivation),
        entry(OSSL_FUNC_KDF_FREECTX, free_derivation),
        entry(OSSL_FUNC_KDF_RESET, reset_derivation),
        entry(OSSL_FUNC_KDF_DERIVE, derive_now),
        entry(OSSL_FUNC_KDF_SET_CTX_PARAMS, give_parameters),
        entry(OSSL_FUNC_KDF_SETTABLE_CTX_PARAMS, known_parameters),
        {0, nullptr}};
    static const OSSL_ALGORITHM kDerivations[] = {
        {"TLS13-KDF", "provider=postern,postern.key_schedule=yes", kFunctions,
         "key schedule of TLS 1.3"},
        {nullptr, nullptr, nullptr, nullptr}};
    *may_not_be_kept = 0;
    return operation == OSSL_OP_KDF ? kDerivations : nullptr;
}

int begin_provider(const OSSL_CORE_HANDLE* core, const OSSL_DISPATCH*, const OSSL_DISPATCH** out,
                   void** context)
{
    static const OSSL_DISPATCH kFunctions[] = {
        entry(OSSL_FUNC_PROVIDER_QUERY_OPERATION, algorithms), {0, nullptr}};
    *out = kFunctions;
    *context = const_cast<OSSL_CORE_HANDLE*>(core);  // not null, or OpenSSL thinks that we failed
    return 1;
}

// Tells OpenSSL of it, once a process, and leaves OpenSSL's own implementations loaded.
bool offer()
{
    // Kept, as OpenSSL doesn't free it at the end either: nothing has leaked then.
    static const OSSL_PROVIDER* const offered =
        hash_of_suite("SHA256") != nullptr && hash_of_suite("SHA384") != nullptr &&
                OSSL_PROVIDER_add_builtin(nullptr, kProvider, begin_provider) == 1
            ? OSSL_PROVIDER_try_load(nullptr, kProvider, 1)
            : nullptr;
    return offered != nullptr;
}

}  // namespace

SslContextPtr new_context(const ssl_method_st* method)
{
    return SslContextPtr(SSL_CTX_new_ex(nullptr, offer() ? kKeySchedule : nullptr, method));
}

bool has_key_schedule()
{
    EVP_KDF* const found = offer() ? EVP_KDF_fetch(nullptr, "TLS13-KDF", kKeySchedule) : nullptr;
    const bool is_ours =
        found != nullptr &&
        std::string_view(OSSL_PROVIDER_get0_name(EVP_KDF_get0_provider(found))) == kProvider;
    EVP_KDF_free(found);
    return is_ours;
}

TrafficSecretListener::TrafficSecretListener()
{
    POSTERN_ASSERT(secret_listener == nullptr);
    secret_listener = this;
}

TrafficSecretListener::~TrafficSecretListener()
{
    secret_listener = nullptr;
}

}  // namespace postern::tls
