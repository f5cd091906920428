#include "tls/peer_certificate.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>

namespace postern::tls {

namespace {

// RFC 2253 escapes whatever could end a line.
std::string name_text(const X509_NAME* name)
{
    const BioPtr out(BIO_new(BIO_s_mem()));
    return X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253) >= 0 ? content(*out) : "";
}

// OpenSSL breaks endless numbers into lines, with "\\" at the end of each: on one line here.
std::string serial_text(const X509* certificate)
{
    const BioPtr out(BIO_new(BIO_s_mem()));
    i2a_ASN1_INTEGER(out.get(), X509_get0_serialNumber(certificate));
    std::string text = content(*out);
    std::erase_if(text, [](char c) { return c == '\\' || c == '\n'; });
    return text;
}

std::string fingerprint_text(const X509* certificate)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (X509_digest(certificate, EVP_sha1(), digest, &size) != 1) {
        return "";
    }
    std::string text;
    for (unsigned i = 0; i < size; ++i) {
        text += fmt::format("{:02x}", digest[i]);
    }
    return text;
}

std::string pem_text(X509* certificate)
{
    const BioPtr out(BIO_new(BIO_s_mem()));
    return PEM_write_bio_X509(out.get(), certificate) == 1 ? content(*out) : "";
}

// As UTF-8; nothing if it holds what has no place in a name.
std::string user_text(const ASN1_STRING* text)
{
    unsigned char* bytes = nullptr;
    const int size = ASN1_STRING_to_UTF8(&bytes, text);
    if (size < 0) {
        return "";
    }
    const std::string user(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    OPENSSL_free(bytes);
    const bool is_clean = std::ranges::none_of(user, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x20 || byte == 0x7f;
    });
    return is_clean ? user : "";
}

std::vector<std::string> user_names(const X509* certificate)
{
    std::vector<std::string> users;
    int found = 0;
    const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> names(
        static_cast<GENERAL_NAMES*>(
            X509_get_ext_d2i(certificate, NID_subject_alt_name, &found, nullptr)),
        GENERAL_NAMES_free);
    if (names == nullptr && found != -1) {
        ERR_clear_error();
        return {};  // it is there, and can't be read, or is there twice: that names nobody
    }
    bool has_email = false;
    for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type == GEN_EMAIL) {
            has_email = true;
            users.push_back(user_text(name->d.rfc822Name));
        }
    }
    if (!has_email) {
        const X509_NAME* const subject = X509_get_subject_name(certificate);
        const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
        // Two common names would be two answers to one question.
        if (at >= 0 && X509_NAME_get_index_by_NID(subject, NID_commonName, at) < 0) {
            users.push_back(user_text(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));
        }
    }
    std::erase(users, "");
    return users;
}

}  // namespace

bool PeerVerdict::is_only_untrusted() const
{
    switch (code) {
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_CERT_UNTRUSTED:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return true;
    default:
        return false;
    }
}

PeerVerdict verdict_on_peer(const ssl_st* ssl)
{
    PeerVerdict verdict;
    verdict.present = SSL_get0_peer_certificate(ssl) != nullptr;
    verdict.code = SSL_get_verify_result(ssl);
    verdict.text = X509_verify_cert_error_string(verdict.code);
    return verdict;
}

PeerCertificate read_peer_certificate(const ssl_st* ssl)
{
    X509* const certificate = SSL_get0_peer_certificate(ssl);
    if (certificate == nullptr) {
        return {};
    }
    return {.subject = name_text(X509_get_subject_name(certificate)),
            .issuer = name_text(X509_get_issuer_name(certificate)),
            .serial = serial_text(certificate),
            .fingerprint = fingerprint_text(certificate),
            .pem = pem_text(certificate),
            .users = user_names(certificate)};
}

}  // namespace postern::tls
