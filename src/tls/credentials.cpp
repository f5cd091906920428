#include "tls/credentials.h"

#include <openssl/conf.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <ctime>
#include <filesystem>
#include <tuple>

#include "base/text.h"
#include "tls/lean/witness.h"
#include "tls/private_key.h"

namespace postern::tls {

using config::shown_name;

namespace {

constexpr int kSoon = 14 * 24 * 3600;  // seconds: time to renew a certificate

std::string as_text(const ASN1_TIME* time)
{
    const BioPtr out(BIO_new(BIO_s_mem()));
    ASN1_TIME_print(out.get(), time);
    return content(*out);
}

void warn_of_dates(const X509* certificate, const config::Written& file, Loading& loading)
{
    const ASN1_TIME* const begin = X509_get0_notBefore(certificate);
    const ASN1_TIME* const end = X509_get0_notAfter(certificate);
    const std::string_view name = shown_name(file.text);
    std::time_t soon = std::time(nullptr) + kSoon;
    if (X509_cmp_current_time(end) < 0) {
        loading.warn(file.where,
                     fmt::format("certificate \"{}\" has expired ({})", name, as_text(end)));
    } else if (X509_cmp_current_time(begin) > 0) {
        loading.warn(file.where, fmt::format("certificate \"{}\" is not valid before {}", name,
                                             as_text(begin)));
    } else if (X509_cmp_time(end, &soon) < 0) {
        loading.warn(file.where,
                     fmt::format("certificate \"{}\" expires soon ({})", name, as_text(end)));
    }
}

// The leaf and, in the context, its chain.
std::expected<CertificatePtr, config::Error> use_certificate(ssl_ctx_st& context,
                                                             const config::Written& file)
{
    const std::string what = fmt::format("cannot load certificate \"{}\": ", shown_name(file.text));
    const BioPtr in = open_pem(file.text);
    if (!in) {
        return failed(file.where, what + "BIO_new_file() failed");
    }
    CertificatePtr leaf(PEM_read_bio_X509_AUX(in.get(), nullptr, nullptr, nullptr));
    if (!leaf) {
        return failed(file.where, what + "PEM_read_bio_X509_AUX() failed");
    }
    if (SSL_CTX_use_certificate(&context, leaf.get()) != 1) {
        return failed(file.where,
                      fmt::format("SSL_CTX_use_certificate(\"{}\") failed", shown_name(file.text)));
    }
    SSL_CTX_clear_chain_certs(&context);
    for (;;) {
        CertificatePtr next(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
        if (!next) {
            const unsigned long error = ERR_peek_last_error();
            if (ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE) {
                ERR_clear_error();  // the end of the file
                return leaf;
            }
            return failed(file.where, what + "PEM_read_bio_X509() failed");
        }
        if (SSL_CTX_add0_chain_cert(&context, next.get()) != 1) {
            return failed(file.where, fmt::format("SSL_CTX_add0_chain_cert(\"{}\") failed",
                                                  shown_name(file.text)));
        }
        std::ignore = next.release();
    }
}

// OpenSSL's own little language, as its configuration files have it.
class Commands
{
public:
    explicit Commands(Role role) : conf_(SSL_CONF_CTX_new())
    {
        SSL_CONF_CTX_set_flags(
            conf_, SSL_CONF_FLAG_FILE | SSL_CONF_FLAG_CERTIFICATE | SSL_CONF_FLAG_SHOW_ERRORS |
                       (role == Role::server ? SSL_CONF_FLAG_SERVER : SSL_CONF_FLAG_CLIENT));
    }
    ~Commands() { SSL_CONF_CTX_free(conf_); }
    Commands(const Commands&) = delete;
    Commands& operator=(const Commands&) = delete;

    bool run(const config::SslCommand& command, const std::string& directory) const
    {
        const std::string& text = command.value.text;
        const std::string value =
            names_path(command) ? (std::filesystem::path(directory) / text).string() : text;
        return SSL_CONF_cmd(conf_, command.name.c_str(), value.c_str()) > 0;
    }
    bool names_path(const config::SslCommand& command) const
    {
        const int type = SSL_CONF_cmd_value_type(conf_, command.name.c_str());
        return type == SSL_CONF_TYPE_FILE || type == SSL_CONF_TYPE_DIR;
    }
    SSL_CONF_CTX* get() const { return conf_; }

private:
    SSL_CONF_CTX* conf_;
};

int version_of(std::string_view name)
{
    constexpr std::pair<std::string_view, int> kVersions[] = {{"SSLv3", SSL3_VERSION},
                                                              {"TLSv1", TLS1_VERSION},
                                                              {"TLSv1.1", TLS1_1_VERSION},
                                                              {"TLSv1.2", TLS1_2_VERSION},
                                                              {"TLSv1.3", TLS1_3_VERSION}};
    for (const auto& [known, version] : kVersions) {
        if (known == name) {
            return version;
        }
    }
    return 0;
}

}  // namespace

void Loading::warn(const config::Location& where, std::string_view message)
{
    config::warn_once(warnings, config::Error::at(where, message).text);
}

std::unexpected<config::Error> failed(const config::Location& where, std::string_view what)
{
    return std::unexpected(config::Error::at(where, std::string(what) + take_errors()));
}

config::Checked use_pair(ssl_ctx_st& context, const config::SslPair& pair,
                         const config::Written& password_file, Loading& loading)
{
    auto leaf = use_certificate(context, pair.certificate);
    if (!leaf) {
        return std::unexpected(std::move(leaf.error()));
    }
    warn_of_dates(leaf->get(), pair.certificate, loading);
    auto key = load_key(pair.key, password_file, loading);
    if (!key) {
        return std::unexpected(std::move(key.error()));
    }
    // The context would take a key of another kind without a word, for another certificate.
    if (X509_check_private_key(leaf->get(), key->get()) != 1 ||
        SSL_CTX_use_PrivateKey(&context, key->get()) != 1) {
        return failed(pair.key.where,
                      fmt::format("key \"{}\" is not that of certificate \"{}\": "
                                  "SSL_CTX_use_PrivateKey() failed",
                                  shown_name(pair.key.text), shown_name(pair.certificate.text)));
    }
    return {};
}

config::Checked trust(ssl_ctx_st& context, const config::Written& file, bool names_told)
{
    if (SSL_CTX_load_verify_locations(&context, file.text.c_str(), nullptr) != 1) {
        return failed(file.where,
                      fmt::format("SSL_CTX_load_verify_locations(\"{}\") failed", file.text));
    }
    if (names_told) {
        STACK_OF(X509_NAME)* const names = SSL_load_client_CA_file(file.text.c_str());
        if (names == nullptr) {
            return failed(file.where,
                          fmt::format("SSL_load_client_CA_file(\"{}\") failed", file.text));
        }
        SSL_CTX_set_client_CA_list(&context, names);
    }
    ERR_clear_error();  // OpenSSL leaves the end of the file there
    return {};
}

config::Checked use_crl(ssl_ctx_st& context, const config::Written& file)
{
    X509_STORE* const store = SSL_CTX_get_cert_store(&context);
    X509_LOOKUP* const lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    if (lookup == nullptr ||
        X509_LOOKUP_load_file(lookup, file.text.c_str(), X509_FILETYPE_PEM) <= 0) {
        return failed(file.where, fmt::format("cannot load CRL \"{}\": X509_LOOKUP_load_file() "
                                              "failed",
                                              file.text));
    }
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    ERR_clear_error();
    return {};
}

config::Checked set_protocols(ssl_ctx_st& context, const config::SslProtocols& protocols,
                              Loading& loading)
{
    constexpr std::array<std::pair<int, std::uint64_t>, 5> kAll = {
        {{SSL3_VERSION, SSL_OP_NO_SSLv3},
         {TLS1_VERSION, SSL_OP_NO_TLSv1},
         {TLS1_1_VERSION, SSL_OP_NO_TLSv1_1},
         {TLS1_2_VERSION, SSL_OP_NO_TLSv1_2},
         {TLS1_3_VERSION, SSL_OP_NO_TLSv1_3}}};
    int least = 0;
    int most = 0;
    std::uint64_t left_out = SSL_OP_NO_SSL_MASK;
    const config::Location& where = protocols.where;
    for (const std::string& name : protocols.names) {
        const int version = version_of(name);
        if (version == 0 || SSL_CTX_set_min_proto_version(&context, version) != 1) {
            ERR_clear_error();
            loading.warn(where,
                         fmt::format("\"{}\" is not supported by the TLS library, ignored", name));
            continue;
        }
        least = least == 0 ? version : std::min(least, version);
        most = std::max(most, version);
        const auto* const known =
            std::ranges::find(kAll, version, [](auto& one) { return one.first; });
        left_out &= ~known->second;
    }
    if (least == 0) {
        return failed(where, "no usable TLS version (TLSv1.2 or TLSv1.3 is wanted)");
    }
    if (least < TLS1_2_VERSION) {
        // Their signatures are below OpenSSL's usual level. Who writes these versions wants them;
        // "@SECLEVEL=" among the ciphers has the last word.
        SSL_CTX_set_security_level(&context, 0);
    }
    SSL_CTX_clear_options(&context, SSL_OP_NO_SSL_MASK);
    SSL_CTX_set_options(&context, left_out & SSL_OP_NO_SSL_MASK);
    SSL_CTX_set_min_proto_version(&context, least);
    SSL_CTX_set_max_proto_version(&context, most);
    return {};
}

config::Checked set_ciphers(ssl_ctx_st& context, const config::Written& ciphers)
{
    if (SSL_CTX_set_cipher_list(&context, ciphers.text.c_str()) != 1) {
        return failed(ciphers.where,
                      fmt::format("SSL_CTX_set_cipher_list(\"{}\") failed", ciphers.text));
    }
    return {};
}

config::Checked apply_commands(ssl_ctx_st& context, const std::vector<config::SslCommand>& commands,
                               Role role, const Loading& loading)
{
    const Commands conf(role);
    SSL_CONF_CTX_set_ssl_ctx(conf.get(), &context);
    for (const config::SslCommand& command : commands) {
        if (!conf.run(command, loading.directory)) {
            return failed(command.value.where, fmt::format("SSL_CONF_cmd(\"{}\", \"{}\") failed",
                                                           command.name, command.value.text));
        }
    }
    if (!commands.empty() && SSL_CONF_CTX_finish(conf.get()) != 1) {
        return failed(commands.back().value.where, "SSL_CONF_finish() failed");
    }
    return {};
}

bool apply_commands(ssl_st& ssl, const std::vector<config::SslCommand>& commands)
{
    if (commands.empty()) {
        return true;
    }
    const Commands conf(Role::server);
    SSL_CONF_CTX_set_ssl(conf.get(), &ssl);
    const auto applies = [&](const config::SslCommand& command) {
        return conf.names_path(command) || conf.run(command, "");
    };
    return std::ranges::all_of(commands, applies) && SSL_CONF_CTX_finish(conf.get()) == 1;
}

void allow_lean(ssl_ctx_st& context, const std::vector<config::SslCommand>& commands,
                Loading& loading)
{
    const auto pads = std::ranges::find_if(commands, [](const config::SslCommand& command) {
        return iequals(command.name, "RecordPadding");
    });
    if (pads != commands.end()) {
        loading.warn(pads->value.where,
                     "\"ssl_lean\" does nothing where records are padded (\"RecordPadding\")");
    } else if (!lean::watch(context)) {
        config::warn_once(
            loading.warnings,
            "\"ssl_lean\" does nothing: OpenSSL's configuration demands a key schedule "
            "of TLS 1.3 that is not ours (\"default_properties\")");
    }
}

bool is_for(const ssl_ctx_st& context, std::string_view name)
{
    X509* const leaf = SSL_CTX_get0_certificate(&context);
    // A certificate for "*.DOMAIN" is for each name below it.
    const std::string asked =
        name.starts_with('*') ? "x" + std::string(name.substr(1)) : std::string(name);
    return leaf != nullptr && X509_check_host(leaf, asked.data(), asked.size(), 0, nullptr) == 1;
}

}  // namespace postern::tls
