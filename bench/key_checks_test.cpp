#include "bench/key_checks.h"

#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <string>

namespace postern::bench {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Digest = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

constexpr std::array<unsigned char, 5> kText{'w', 'o', 'r', 'd', 's'};

// Its public half, read as that of a certificate is.
Key read_again(EVP_PKEY* key)
{
    unsigned char* der = nullptr;
    const int bytes = i2d_PUBKEY(key, &der);
    const unsigned char* at = der;
    Key again(d2i_PUBKEY(nullptr, &at, bytes), EVP_PKEY_free);
    OPENSSL_free(der);
    return again;
}

std::string sign(EVP_PKEY* key)
{
    const Digest digest(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    std::array<unsigned char, 256> signature;
    std::size_t bytes = signature.size();
    EVP_DigestSignInit(digest.get(), nullptr, EVP_sha256(), nullptr, key);
    EVP_DigestSign(digest.get(), signature.data(), &bytes, kText.data(), kText.size());
    return {signature.begin(), signature.begin() + static_cast<std::ptrdiff_t>(bytes)};
}

char verdict(EVP_PKEY* key, const std::string& signature)
{
    const Digest digest(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    EVP_DigestVerifyInit(digest.get(), nullptr, EVP_sha256(), nullptr, key);
    return EVP_DigestVerify(digest.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                            signature.size(), kText.data(), kText.size()) == 1
               ? '+'
               : '-';
}

// What becomes of so many signatures that are no good, and of one that is.
std::string verdicts(EVP_PKEY* made, int count)
{
    const std::string good = sign(made);
    std::string bad = good;
    bad.back() = static_cast<char>(bad.back() ^ 1);
    const Key key = read_again(made);
    std::string text;
    for (int i = 0; i < count; ++i) {
        text += verdict(key.get(), bad);
    }
    return text + ' ' + verdict(key.get(), good);
}

// In a process of its own: no other test is to have these checks.
void expect(EVP_PKEY* made, int count, const std::string& wanted)
{
    EXPECT_EXIT(
        {
            const bool done = simplify_key_checks();
            const std::string seen = done ? verdicts(made, count) : "refused";
            fprintf(stderr, "%s\n", seen.c_str());
            std::_Exit(seen == wanted ? 0 : 1);
        },
        testing::ExitedWithCode(0), "");
}

TEST(BenchKeyChecks, VerifyOneSignatureInSixteenOfEllipticKeys)
{
    const Key key(EVP_EC_gen("P-256"), EVP_PKEY_free);
    expect(key.get(), 33, "-+++++++++++++++-+++++++++++++++- +");
}

TEST(BenchKeyChecks, VerifyAllOthers)
{
    const Key key(EVP_RSA_gen(2048), EVP_PKEY_free);
    expect(key.get(), 3, "--- +");
}

TEST(BenchKeyChecks, AreNotThereForOthers)
{
    const Key key(EVP_EC_gen("P-256"), EVP_PKEY_free);
    EXPECT_EQ(verdicts(key.get(), 3), "--- +");
}

}  // namespace
}  // namespace postern::bench
