// For tests: certificates of all kinds, files to hold them, and two connections on one wire.
#pragma once

#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tls/connection.h"
#include "tls/openssl.h"
#include "tls/workspace.h"

namespace postern::tls {

// A certificate and its key.
struct Issued {
    CertificatePtr certificate;
    KeyPtr key;

    std::string certificate_pem() const
    {
        const BioPtr out(BIO_new(BIO_s_mem()));
        PEM_write_bio_X509(out.get(), certificate.get());
        return content(*out);
    }
    // Encrypted if a pass phrase is given.
    std::string key_pem(const std::string& pass_phrase = "") const
    {
        const BioPtr out(BIO_new(BIO_s_mem()));
        const auto* const phrase = reinterpret_cast<const unsigned char*>(pass_phrase.data());
        PEM_write_bio_PrivateKey(out.get(), key.get(),
                                 pass_phrase.empty() ? nullptr : EVP_aes_256_cbc(), phrase,
                                 static_cast<int>(pass_phrase.size()), nullptr, nullptr);
        return content(*out);
    }
};

// What a certificate is to be. Times are seconds from now.
struct Wanted {
    std::string common_name = "mail.example.com";
    std::vector<std::string> subject{};  // further parts in order: "O", "Example", ...
    std::string names{};                 // subjectAltName, as OpenSSL writes it: "DNS:a,email:b"
    const Issued* issuer = nullptr;      // null: itself
    bool is_authority = false;
    bool is_rsa = false;
    long begins = -3600;
    long ends = 90 * 24 * 3600;
};

inline Issued issue(const Wanted& wanted)
{
    static std::atomic<long> serial{0x1000};
    Issued made{CertificatePtr(X509_new()),
                KeyPtr(wanted.is_rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256"))};
    X509* const certificate = made.certificate.get();
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), wanted.begins);
    X509_gmtime_adj(X509_getm_notAfter(certificate), wanted.ends);
    X509_NAME* const name = X509_get_subject_name(certificate);
    const auto add = [name](const char* kind, const std::string& text) {
        ASSERT_EQ(X509_NAME_add_entry_by_txt(name, kind, MBSTRING_UTF8,
                                             reinterpret_cast<const unsigned char*>(text.data()),
                                             static_cast<int>(text.size()), -1, 0),
                  1);
    };
    for (std::size_t i = 0; i + 1 < wanted.subject.size(); i += 2) {
        add(wanted.subject[i].c_str(), wanted.subject[i + 1]);
    }
    if (!wanted.common_name.empty()) {
        add("CN", wanted.common_name);
    }
    const Issued& issuer = wanted.issuer == nullptr ? made : *wanted.issuer;
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer.certificate.get()));
    X509_set_pubkey(certificate, made.key.get());
    const auto extend = [&](int kind, const std::string& text) {
        X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, text.c_str());
        ASSERT_NE(extension, nullptr) << text;
        X509_add_ext(certificate, extension, -1);
        X509_EXTENSION_free(extension);
    };
    extend(NID_basic_constraints, wanted.is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (wanted.is_authority) {
        extend(NID_key_usage, "critical,keyCertSign,cRLSign");
    }
    if (!wanted.names.empty()) {
        extend(NID_subject_alt_name, wanted.names);
    }
    EXPECT_GT(X509_sign(certificate, issuer.key.get(), EVP_sha256()), 0);
    return made;
}

inline Issued make_authority(const std::string& name = "Test CA")
{
    return issue({.common_name = name, .is_authority = true});
}

// A list of certificates that the authority has revoked, in PEM.
inline std::string revocation_list(const Issued& authority,
                                   std::initializer_list<const Issued*> list)
{
    const std::unique_ptr<X509_CRL, decltype(&X509_CRL_free)> made(X509_CRL_new(), X509_CRL_free);
    X509_CRL_set_version(made.get(), X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(made.get(), X509_get_subject_name(authority.certificate.get()));
    const std::unique_ptr<ASN1_TIME, decltype(&ASN1_TIME_free)> time(ASN1_TIME_new(),
                                                                     ASN1_TIME_free);
    X509_gmtime_adj(time.get(), -60);
    X509_CRL_set1_lastUpdate(made.get(), time.get());
    for (const Issued* const one : list) {
        X509_REVOKED* const entry = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(one->certificate.get()));
        X509_REVOKED_set_revocationDate(entry, time.get());
        X509_CRL_add0_revoked(made.get(), entry);
    }
    X509_gmtime_adj(time.get(), 24 * 3600);
    X509_CRL_set1_nextUpdate(made.get(), time.get());
    X509_CRL_sort(made.get());
    EXPECT_GT(X509_CRL_sign(made.get(), authority.key.get(), EVP_sha256()), 0);
    const BioPtr out(BIO_new(BIO_s_mem()));
    PEM_write_bio_X509_CRL(out.get(), made.get());
    return content(*out);
}

// A folder that goes with the test.
class Folder
{
public:
    Folder()
    {
        char name[] = "/tmp/postern_tls_XXXXXX";
        path_ = std::string(::mkdtemp(name)) + "/";
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    // The path of a file that holds this now.
    std::string write(const std::string& name, const std::string& content) const
    {
        std::ofstream(path_ + name, std::ios::binary) << content;
        return path_ + name;
    }
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

// One end of a wire in memory. What is sent waits for the other end, which takes it when it likes.
class Wire final : public Transport
{
public:
    void join(Wire& other)
    {
        other_ = &other;
        other.other_ = this;
    }

    Io receive(std::span<char> space) override
    {
        ++receives;
        const std::size_t bytes = std::min({space.size(), arrived.size(), gives_at_once});
        if (bytes == 0) {
            return {.status = is_closed ? Io::Status::closed : Io::Status::would_block};
        }
        std::ranges::copy(arrived.substr(0, bytes), space.begin());
        arrived.erase(0, bytes);
        return {.bytes = bytes};
    }
    bool ready() const override { return !arrived.empty() || is_closed; }
    Io send(std::string_view bytes) override
    {
        ++sends;
        const std::size_t taken = std::min(bytes.size(), takes);
        takes -= taken;
        if (taken == 0) {
            return {.status = Io::Status::would_block};
        }
        other_->arrived += bytes.substr(0, taken);
        return {.bytes = taken};
    }

    std::string arrived;     // from the other end, not yet received
    bool is_closed = false;  // by the other end
    std::size_t gives_at_once = ~std::size_t{0};
    std::size_t takes = ~std::size_t{0};  // before it is full
    unsigned receives = 0;                // calls
    unsigned sends = 0;

private:
    Wire* other_ = nullptr;
};

// Two connections on one wire.
struct Pair {
    Pair(SslPtr server_ssl, SslPtr client_ssl)
        : server(std::move(server_ssl), server_wire, workspace),
          client(std::move(client_ssl), client_wire, workspace)
    {
        server_wire.join(client_wire);
    }

    // True if both have done their handshake.
    bool shake_hands()
    {
        Io of_server{.status = Io::Status::would_block};
        Io of_client = of_server;
        for (int round = 0; round < 10; ++round) {
            if (of_client.status == Io::Status::would_block) {
                of_client = client.handshake();
            }
            if (of_server.status == Io::Status::would_block) {
                of_server = server.handshake();
            }
        }
        return of_server.status == Io::Status::done && of_client.status == Io::Status::done;
    }
    // What can be read now.
    static std::string read(Connection& connection, std::size_t space = 65536)
    {
        std::string text(space, '\0');
        const Io io = connection.read(text);
        text.resize(io.bytes);
        return text;
    }

    Workspace workspace;
    Wire server_wire;
    Wire client_wire;
    Connection server;
    Connection client;
};

}  // namespace postern::tls
