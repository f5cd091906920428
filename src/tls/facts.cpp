#include "tls/facts.h"

#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace postern::tls {

namespace {

std::string text(const char* text)
{
    return text == nullptr ? "" : text;
}

std::string key_text(const EVP_PKEY* key)
{
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
        return "RSA" + std::to_string(EVP_PKEY_get_bits(key));
    case EVP_PKEY_EC:
        return "EC" + std::to_string(EVP_PKEY_get_bits(key));
    default:
        return text(OBJ_nid2sn(EVP_PKEY_get_base_id(key)));
    }
}

std::string common_name(const X509* certificate)
{
    const X509_NAME* const subject = X509_get_subject_name(certificate);
    const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0) {
        return "";
    }
    unsigned char* bytes = nullptr;
    const int size =
        ASN1_STRING_to_UTF8(&bytes, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (size < 0) {
        return "";
    }
    std::string name(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    OPENSSL_free(bytes);
    return name;
}

}  // namespace

Facts facts_of(const ssl_st* ssl)
{
    Facts facts{.server_name = text(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)),
                .version = text(SSL_get_version(ssl)),
                .cipher = text(SSL_get_cipher_name(ssl))};
    const unsigned char* alpn = nullptr;
    unsigned alpn_size = 0;
    SSL_get0_alpn_selected(ssl, &alpn, &alpn_size);
    if (alpn != nullptr) {
        facts.alpn.assign(reinterpret_cast<const char*>(alpn), alpn_size);
    }
    if (const X509* const own = SSL_get_certificate(ssl); own != nullptr) {
        facts.signature_algorithm = text(OBJ_nid2sn(X509_get_signature_nid(own)));
        if (const EVP_PKEY* const key = X509_get0_pubkey(own); key != nullptr) {
            facts.key_algorithm = key_text(key);
        }
    }
    if (const X509* const certificate = SSL_get0_peer_certificate(ssl); certificate != nullptr) {
        facts.common_name = common_name(certificate);
        facts.certificate_in_session = true;
        facts.certificate_in_connection = SSL_session_reused(ssl) == 0;
        facts.verify = static_cast<std::uint32_t>(SSL_get_verify_result(ssl));
    }
    return facts;
}

}  // namespace postern::tls
