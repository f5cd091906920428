#include <gnutls/gnutls.h>

#include <algorithm>

#include "tls.h"

namespace client {

namespace {

gnutls_datum_t kept{};

std::string priority(const Settings& settings)
{
    std::string text = "NORMAL:-VERS-ALL:+VERS-";
    text += settings.is_tls12 ? "TLS1.2" : "TLS1.3";
    if (!settings.suite.empty()) {
        text += ":-CIPHER-ALL:+";
        text += settings.suite == "aes128"     ? "AES-128-GCM"
                : settings.suite == "aes256"   ? "AES-256-GCM"
                : settings.suite == "chacha20" ? "CHACHA20-POLY1305"
                                               : "AES-128-CCM";
    }
    return text;
}

class GnuTls : public Tls
{
public:
    GnuTls(int descriptor, const Settings& settings) : padding_(settings.padding)
    {
        gnutls_certificate_allocate_credentials(&credentials_);
        if (!settings.certificate.empty()) {
            gnutls_certificate_set_x509_key_file(credentials_, settings.certificate.c_str(),
                                                 settings.key.c_str(), GNUTLS_X509_FMT_PEM);
        }
        gnutls_init(&session_, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
        gnutls_priority_set_direct(session_, priority(settings).c_str(), nullptr);
        gnutls_credentials_set(session_, GNUTLS_CRD_CERTIFICATE, credentials_);
        gnutls_server_name_set(session_, GNUTLS_NAME_DNS, "mail.test", 9);
        if (settings.fragment > 0) {
            gnutls_record_set_max_size(session_, settings.fragment);
        }
        if (kept.data != nullptr) {
            gnutls_session_set_data(session_, kept.data, kept.size);
        }
        gnutls_transport_set_int(session_, descriptor);
    }

    ~GnuTls() override
    {
        if ((gnutls_session_get_flags(session_) & GNUTLS_SFLAGS_SESSION_TICKET) != 0) {
            gnutls_free(kept.data);
            kept = {};
            gnutls_session_get_data2(session_, &kept);
        }
        gnutls_deinit(session_);
        gnutls_certificate_free_credentials(credentials_);
    }

    Result handshake() override { return result(gnutls_handshake(session_)); }

    Result read(std::span<char> space) override
    {
        const auto bytes = gnutls_record_recv(session_, space.data(), space.size());
        return bytes == 0 ? Result{.status = Status::closed} : result(bytes);
    }

    Result write(std::string_view text) override
    {
        if (padding_ == 0) {
            return result(gnutls_record_send(session_, text.data(), text.size()));
        }
        // A whole record has no room for any padding.
        const std::size_t part = std::min<std::size_t>(text.size(), 16384 - padding_);
        if (!is_blocked_) {
            padding_now_ = (padding_now_ * 7 + 3) % padding_;
        }
        const auto bytes = gnutls_record_send2(session_, text.data(), part, padding_now_, 0);
        is_blocked_ = bytes < 0;
        return result(bytes);
    }

    Result update_keys(bool requests) override
    {
        return result(gnutls_session_key_update(session_, requests ? GNUTLS_KU_PEER : 0));
    }

    Result say_goodbye() override { return result(gnutls_bye(session_, GNUTLS_SHUT_WR)); }

    std::string description() override
    {
        const bool is_tls13 = gnutls_protocol_get_version(session_) == GNUTLS_TLS1_3;
        return std::string(is_tls13 ? "TLSv1.3 " : "TLSv1.2 ") + gnutls_ciphersuite_get(session_) +
               (gnutls_session_is_resumed(session_) != 0 ? " resumed" : " full");
    }

private:
    static Result result(ssize_t value)
    {
        if (value >= 0) {
            return {.bytes = static_cast<std::size_t>(value)};
        }
        switch (value) {
        case GNUTLS_E_AGAIN:
        case GNUTLS_E_INTERRUPTED:
            return {.status = Status::again};
        case GNUTLS_E_PREMATURE_TERMINATION:
            return {.status = Status::truncated};
        default:
            return {.status = Status::failed, .error = gnutls_strerror(static_cast<int>(value))};
        }
    }

    gnutls_certificate_credentials_t credentials_ = nullptr;
    gnutls_session_t session_ = nullptr;
    std::size_t padding_;
    std::size_t padding_now_ = 0;
    bool is_blocked_ = false;
};

}  // namespace

std::unique_ptr<Tls> make_tls(int descriptor, const Settings& settings)
{
    return std::make_unique<GnuTls>(descriptor, settings);
}

}  // namespace client
