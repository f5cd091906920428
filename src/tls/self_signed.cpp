#include "tls/self_signed.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <ctime>

namespace postern::tls {

namespace {

constexpr long kHour = 3600;
constexpr long kDay = 24 * kHour;
constexpr long kLifetime = 365 * kDay;
constexpr std::size_t kCommonNameMax = 64;  // RFC 5280 appendix A: ub-common-name

bool add_extension(X509* certificate, int kind, const char* value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
        X509V3_EXT_conf_nid(nullptr, &context, kind, value), X509_EXTENSION_free);
    return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

// Without X509V3's little language, in which a comma in a name would begin another entry.
bool add_names(X509* certificate, const std::vector<std::string>& names)
{
    const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> list(
        sk_GENERAL_NAME_new_null(), GENERAL_NAMES_free);
    for (const std::string& text : names) {
        GENERAL_NAME* const name = GENERAL_NAME_new();
        if (ASN1_OCTET_STRING* const address = a2i_IPADDRESS(text.c_str())) {
            GENERAL_NAME_set0_value(name, GEN_IPADD, address);
        } else {
            ASN1_IA5STRING* const host = ASN1_IA5STRING_new();
            ASN1_STRING_set(host, text.data(), static_cast<int>(text.size()));
            GENERAL_NAME_set0_value(name, GEN_DNS, host);
        }
        sk_GENERAL_NAME_push(list.get(), name);
    }
    return X509_add1_ext_i2d(certificate, NID_subject_alt_name, list.get(), 0, 0) == 1;
}

}  // namespace

bool SelfSigned::is_fresh() const
{
    std::time_t tomorrow = std::time(nullptr) + kDay;
    return X509_cmp_time(X509_get0_notAfter(certificate.get()), &tomorrow) > 0;
}

std::shared_ptr<const SelfSigned> make_self_signed(const std::vector<std::string>& names)
{
    auto made = std::make_shared<SelfSigned>();
    made->key.reset(EVP_EC_gen("P-256"));
    made->certificate.reset(X509_new());
    X509* const certificate = made->certificate.get();
    std::uint64_t serial = 0;
    if (!made->key || certificate == nullptr ||
        RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) != 1) {
        return nullptr;
    }
    const std::string common_name = names.front().substr(0, kCommonNameMax);
    X509_NAME* const subject = X509_get_subject_name(certificate);
    const bool is_made =
        X509_set_version(certificate, X509_VERSION_3) == 1 &&
        ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1) == 1 &&
        X509_gmtime_adj(X509_getm_notBefore(certificate), -kHour) != nullptr &&
        X509_gmtime_adj(X509_getm_notAfter(certificate), kLifetime) != nullptr &&
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(common_name.data()),
                                   static_cast<int>(common_name.size()), -1, 0) == 1 &&
        X509_set_issuer_name(certificate, subject) == 1 &&
        X509_set_pubkey(certificate, made->key.get()) == 1 && add_names(certificate, names) &&
        add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(certificate, NID_key_usage, "critical,digitalSignature") &&
        add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
        X509_sign(certificate, made->key.get(), EVP_sha256()) > 0;
    return is_made ? made : nullptr;
}

}  // namespace postern::tls
