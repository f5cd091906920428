#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tls.h"

namespace client {

namespace {

SSL_SESSION* kept = nullptr;

int keep(SSL*, SSL_SESSION* session)
{
    SSL_SESSION_free(kept);
    kept = session;
    return 1;
}

const char* suites(const std::string& name)
{
    return name == "aes128"     ? "TLS_AES_128_GCM_SHA256"
           : name == "aes256"   ? "TLS_AES_256_GCM_SHA384"
           : name == "chacha20" ? "TLS_CHACHA20_POLY1305_SHA256"
                                : "TLS_AES_128_CCM_SHA256";
}

class OpenSsl : public Tls
{
public:
    OpenSsl(int descriptor, const Settings& settings) : context_(SSL_CTX_new(TLS_client_method()))
    {
        SSL_CTX_set_mode(context_,
                         SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        SSL_CTX_set_session_cache_mode(context_,
                                       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
        SSL_CTX_sess_set_new_cb(context_, keep);
        if (settings.is_tls12) {
            SSL_CTX_set_max_proto_version(context_, TLS1_2_VERSION);
        } else if (!settings.suite.empty()) {
            SSL_CTX_set_min_proto_version(context_, TLS1_3_VERSION);
            SSL_CTX_set_ciphersuites(context_, suites(settings.suite));
        }
        if (settings.padding > 0) {
            SSL_CTX_set_block_padding(context_, settings.padding);
        }
        for (std::size_t code = 1; code <= 4; ++code) {
            if (settings.fragment == std::size_t{256} << code) {
                SSL_CTX_set_tlsext_max_fragment_length(context_, static_cast<unsigned char>(code));
            }
        }
        if (!settings.certificate.empty()) {
            SSL_CTX_use_certificate_file(context_, settings.certificate.c_str(), SSL_FILETYPE_PEM);
            SSL_CTX_use_PrivateKey_file(context_, settings.key.c_str(), SSL_FILETYPE_PEM);
        }
        ssl_ = SSL_new(context_);
        SSL_set_fd(ssl_, descriptor);
        SSL_set_tlsext_host_name(ssl_, "mail.test");
        SSL_set_connect_state(ssl_);
        if (kept != nullptr) {
            SSL_set_session(ssl_, kept);
        }
    }

    ~OpenSsl() override
    {
        SSL_free(ssl_);
        SSL_CTX_free(context_);
    }

    Result handshake() override { return result(SSL_do_handshake(ssl_), 0); }

    Result read(std::span<char> space) override
    {
        ERR_clear_error();
        std::size_t bytes = 0;
        return result(SSL_read_ex(ssl_, space.data(), space.size(), &bytes), bytes);
    }

    Result write(std::string_view text) override
    {
        ERR_clear_error();
        std::size_t bytes = 0;
        return result(SSL_write_ex(ssl_, text.data(), text.size(), &bytes), bytes);
    }

    Result update_keys(bool requests) override
    {
        ERR_clear_error();
        if (!is_updating_ && SSL_key_update(ssl_, requests ? SSL_KEY_UPDATE_REQUESTED
                                                           : SSL_KEY_UPDATE_NOT_REQUESTED) != 1) {
            return result(0, 0);
        }
        const Result done = handshake();
        is_updating_ = done.status == Status::again;
        return done;
    }

    Result say_goodbye() override
    {
        const int said = SSL_shutdown(ssl_);
        return result(said == 0 ? 1 : said, 0);
    }

    std::string description() override
    {
        return std::string(SSL_get_version(ssl_)) + ' ' + SSL_get_cipher_name(ssl_) +
               (SSL_session_reused(ssl_) != 0 ? " resumed" : " full");
    }

private:
    Result result(int value, std::size_t bytes)
    {
        if (value > 0) {
            return {.bytes = bytes};
        }
        switch (SSL_get_error(ssl_, value)) {
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE:
            return {.status = Status::again};
        case SSL_ERROR_ZERO_RETURN:
            return {.status = Status::closed};
        default:
            break;
        }
        const unsigned long error = ERR_get_error();
        if (ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
            return {.status = Status::truncated};
        }
        const char* const reason = ERR_reason_error_string(error);
        return {.status = Status::failed, .error = reason != nullptr ? reason : "socket"};
    }

    SSL_CTX* context_;
    SSL* ssl_ = nullptr;
    bool is_updating_ = false;
};

}  // namespace

std::unique_ptr<Tls> make_tls(int descriptor, const Settings& settings)
{
    return std::make_unique<OpenSsl>(descriptor, settings);
}

}  // namespace client
