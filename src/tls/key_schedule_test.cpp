#include "tls/key_schedule.h"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/ssl.h>

#include <array>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tls/hkdf.h"
#include "tls/lean/testing.h"
#include "tls/testing.h"

namespace postern::tls {

namespace {

using lean::from_hex;

struct FreeDerivation {
    void operator()(EVP_KDF* derivation) const { EVP_KDF_free(derivation); }
    void operator()(EVP_KDF_CTX* context) const { EVP_KDF_CTX_free(context); }
};

// The inputs of "TLS13-KDF", as libssl gives them.
struct Step {
    std::string hash = "SHA256";
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    std::optional<std::string> key;
    std::optional<std::string> salt;
    std::string prefix = "tls13 ";
    std::string label;
    std::optional<std::string> data;
    std::size_t bytes = 32;
    bool in_two_calls = false;
};

// Nothing if the derivation is refused.
std::optional<std::string> derive(const char* whose, Step step)
{
    const std::unique_ptr<EVP_KDF, FreeDerivation> kind(EVP_KDF_fetch(nullptr, "TLS13-KDF", whose));
    EXPECT_NE(kind, nullptr) << whose;
    const std::unique_ptr<EVP_KDF_CTX, FreeDerivation> context(EVP_KDF_CTX_new(kind.get()));
    std::vector<OSSL_PARAM> parameters{
        OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &step.mode),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, step.hash.data(), 0)};
    const auto add = [&](const char* name, std::string& octets) {
        parameters.push_back(OSSL_PARAM_construct_octet_string(name, octets.data(), octets.size()));
    };
    if (step.key) {
        add(OSSL_KDF_PARAM_KEY, *step.key);
    }
    if (step.salt) {
        add(OSSL_KDF_PARAM_SALT, *step.salt);
    }
    add(OSSL_KDF_PARAM_PREFIX, step.prefix);
    add(OSSL_KDF_PARAM_LABEL, step.label);
    if (step.data) {
        add(OSSL_KDF_PARAM_DATA, *step.data);
    }
    parameters.push_back(OSSL_PARAM_construct_end());
    if (step.in_two_calls && EVP_KDF_CTX_set_params(context.get(), parameters.data()) != 1) {
        return std::nullopt;
    }
    std::string out(step.bytes, '\0');
    const int done = EVP_KDF_derive(context.get(), reinterpret_cast<unsigned char*>(out.data()),
                                    out.size(), step.in_two_calls ? nullptr : parameters.data());
    return done == 1 ? std::optional(out) : std::nullopt;
}

constexpr const char* kOurs = "provider=postern";
constexpr const char* kOpenssls = "provider=default";
constexpr const char* kOurDescription = "key schedule of TLS 1.3";

class KeySchedule : public testing::Test
{
protected:
    SslContextPtr context_ = new_context(TLS_server_method());
};

TEST_F(KeySchedule, TellsTheSecretsOfTraffic)
{
    struct Listener final : TrafficSecretListener {
        void on_secret(bool is_clients, Octets secret) override
        {
            told.push_back((is_clients ? "client " : "server ") + std::to_string(secret.size()));
        }
        std::vector<std::string> told;
    };
    ASSERT_TRUE(has_key_schedule());
    const Issued issued = issue({});
    const SslContextPtr contexts[] = {new_context(TLS_server_method()),
                                      new_context(TLS_client_method())};
    SSL_CTX_use_certificate(contexts[0].get(), issued.certificate.get());
    SSL_CTX_use_PrivateKey(contexts[0].get(), issued.key.get());
    SslPtr server(SSL_new(contexts[0].get()));
    SslPtr client(SSL_new(contexts[1].get()));
    BIO* ends[2];
    ASSERT_EQ(BIO_new_bio_pair(&ends[0], 0, &ends[1], 0), 1);
    SSL_set_bio(server.get(), ends[0], ends[0]);
    SSL_set_bio(client.get(), ends[1], ends[1]);
    SSL_set_accept_state(server.get());
    SSL_set_connect_state(client.get());
    SSL_do_handshake(client.get());
    {
        Listener heard;
        SSL_do_handshake(server.get());
        EXPECT_EQ(heard.told, std::vector<std::string>{"server 48"});
    }
    SSL_do_handshake(client.get());  // nobody listens
    Listener heard;
    EXPECT_EQ(SSL_do_handshake(server.get()), 1);
    EXPECT_EQ(heard.told, std::vector<std::string>{"client 48"});
}

}  // namespace

TEST_F(KeySchedule, IsUsedByNewContexts)
{
    ASSERT_NE(context_, nullptr);
    const std::unique_ptr<EVP_KDF, FreeDerivation> preferred(
        EVP_KDF_fetch(nullptr, "TLS13-KDF", kKeySchedule));
    EXPECT_STREQ(EVP_KDF_get0_description(preferred.get()), kOurDescription);
    const std::unique_ptr<EVP_KDF, FreeDerivation> usual(
        EVP_KDF_fetch(nullptr, "HKDF", kKeySchedule));
    EXPECT_NE(usual, nullptr);  // the rest is OpenSSL's
}

// As "default_properties" of openssl.cnf sets them.
TEST_F(KeySchedule, GivesWayToWhatTheSystemDemands)
{
    ASSERT_EQ(EVP_set_default_properties(nullptr, "provider=default"), 1);
    const std::unique_ptr<EVP_KDF, FreeDerivation> demanded(
        EVP_KDF_fetch(nullptr, "TLS13-KDF", kKeySchedule));
    EXPECT_FALSE(has_key_schedule());
    EXPECT_EQ(EVP_set_default_properties(nullptr, ""), 1);
    EXPECT_TRUE(has_key_schedule());
    ASSERT_NE(demanded, nullptr);
    EXPECT_STRNE(EVP_KDF_get0_description(demanded.get()), kOurDescription);
}

// RFC 8448 section 3, "Simple 1-RTT Handshake".
TEST_F(KeySchedule, DerivesWhatTheStandardSays)
{
    const std::string early =
        from_hex("33ad0a1c607ec03b09e6cd9893680ce210adf300aa1f2660e1b22e10f170f92a");
    const std::string shared =
        from_hex("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d");
    EXPECT_EQ(derive(kOurs, {.mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY, .label = "derived"}), early);
    EXPECT_EQ(derive(kOurs, {.mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY,
                             .key = shared,
                             .salt = early,
                             .label = "derived"}),
              from_hex("1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac"));
    const std::string nothing =
        from_hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(derive(kOurs, {.key = early, .label = "derived", .data = nothing}),
              from_hex("6f2615a108c702c5678f54fc9dbab69716c076189c48250cebeac3576c3611ba"));
}

TEST_F(KeySchedule, DerivesWhatOpensslDerives)
{
    std::mt19937 random(5);
    const auto octets = [&](std::size_t size) {
        std::string made(size, '\0');
        for (char& octet : made) {
            octet = static_cast<char>(random());
        }
        return made;
    };
    for (int i = 0; i < 2000; ++i) {
        const bool is_long = random() % 2 == 0;
        const std::size_t size = is_long ? 48 : 32;
        Step step{.hash = is_long ? "SHA384" : "SHA256", .label = octets(random() % 20)};
        step.in_two_calls = random() % 4 == 0;
        if (random() % 2 == 0) {
            step.key = octets(random() % 3 == 0 ? 1 + random() % 200 : size);
            step.data = octets(random() % 2 == 0 ? size : random() % 64);
            step.bytes = 1 + random() % 150;
        } else {
            step.mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
            step.bytes = size;
            step.label = "derived";
            if (random() % 4 == 0) {  // what the schedule begins with is worked out once only
                step.salt = derive(
                    kOpenssls,
                    {.hash = step.hash, .mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY, .bytes = size});
                step.label = random() % 3 == 0 ? octets(7) : "derived";
            } else if (random() % 4 != 0) {
                step.salt = octets(size);
            }
            if (random() % 4 != 0) {
                step.key = octets(1 + random() % 133);
            }
        }
        const auto ours = derive(kOurs, step);
        ASSERT_TRUE(ours) << i;
        EXPECT_EQ(ours, derive(kOpenssls, step)) << i;
    }
}

TEST_F(KeySchedule, RefusesWhatCannotBeDerived)
{
    const std::string key(32, 'k');
    EXPECT_TRUE(derive(kOurs, {.key = key, .label = std::string(249, 'l')}));
    EXPECT_FALSE(derive(kOurs, {.key = key, .label = std::string(250, 'l')}));
    EXPECT_FALSE(derive(kOurs, {.key = key, .label = "key", .data = std::string(256, 'd')}));
    EXPECT_FALSE(derive(kOurs, {.label = "key"}));  // of what?
    EXPECT_FALSE(derive(kOurs, {.hash = "SHA1", .key = key, .label = "key"}));
    EXPECT_FALSE(derive(kOurs, {.mode = EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND, .key = key}));
    EXPECT_FALSE(derive(
        kOurs, {.mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY, .key = key, .label = "", .bytes = 31}));
    EXPECT_FALSE(derive(kOurs, {.key = key, .label = "key", .bytes = 255 * 32 + 1}));
}

}  // namespace postern::tls
