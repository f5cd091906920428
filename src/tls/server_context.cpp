#include "tls/server_context.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <ctime>

#include "tls/acceptor.h"
#include "tls/connection.h"
#include "tls/key_schedule.h"

namespace postern::tls {

namespace {

// OpenSSL's own, for who is content with them.
constexpr const char* kUsualGroups = "X25519:P-256:X448:P-521:P-384";

// Those of TLS 1.3 that a context has.
std::string ciphersuites_of(const SSL_CTX* context)
{
    std::string names;
    const STACK_OF(SSL_CIPHER)* const all = SSL_CTX_get_ciphers(context);
    for (int i = 0; i < sk_SSL_CIPHER_num(all); ++i) {
        const char* const name = SSL_CIPHER_get_name(sk_SSL_CIPHER_value(all, i));
        if (std::string_view(name).starts_with("TLS_")) {
            names += names.empty() ? "" : ":";
            names += name;
        }
    }
    return names;
}

// The handshake goes on whatever the certificate is: the client is told in its protocol's words.
int accept_any_certificate(int, X509_STORE_CTX*)
{
    return 1;
}

// OpenSSL takes the lifetime from the context that a connection began with.
int set_lifetime(SSL* ssl, void*)
{
    SSL_SESSION_set_timeout(SSL_get_session(ssl), SSL_CTX_get_timeout(SSL_get_SSL_CTX(ssl)));
    return 1;
}

// OpenSSL gives a session of TLS 1.3 its whole lifetime again each time that it is resumed: a
// client whose certificate was revoked meanwhile could come back forever.
void age_session(const SSL* ssl, int where, int)
{
    if (where != SSL_CB_ACCEPT_LOOP || SSL_version(ssl) < TLS1_3_VERSION ||
        SSL_session_reused(ssl) != 1) {
        return;
    }
    SSL_SESSION* const session = SSL_get_session(ssl);
    const long now = static_cast<long>(std::time(nullptr));
    const long age = now - SSL_SESSION_get_time(session);
    if (age > 0) {
        SSL_SESSION_set_time(session, now);
        SSL_SESSION_set_timeout(session, std::max(0L, SSL_SESSION_get_timeout(session) - age));
    }
}

// Sessions in a zone that workers share.

int zone_index()
{
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

SessionZone* zone_of(const SSL_CTX* context)
{
    return static_cast<SessionZone*>(SSL_CTX_get_ex_data(context, zone_index()));
}

std::string_view id_of(const SSL_SESSION* session)
{
    unsigned size = 0;
    const unsigned char* const id = SSL_SESSION_get_id(session, &size);
    return {reinterpret_cast<const char*>(id), size};
}

int keep_session(SSL* ssl, SSL_SESSION* session)
{
    SessionZone* const zone = zone_of(SSL_get_SSL_CTX(ssl));
    if (zone == nullptr) {
        return 0;
    }
    // With tickets the client keeps its session itself, and never asks for it by an id. OpenSSL
    // still tells of those of TLS 1.3: they would fill the zone for nothing.
    if (SSL_version(ssl) >= TLS1_3_VERSION && (SSL_get_options(ssl) & SSL_OP_NO_TICKET) == 0) {
        return 0;
    }
    const int size = i2d_SSL_SESSION(session, nullptr);
    if (size > 0) {
        const auto memory = static_cast<std::size_t>(size);
        // Plain malloc: without memory the session is not kept, and OpenSSL sees no exception.
        auto* const bytes = static_cast<unsigned char*>(OPENSSL_malloc(memory));
        unsigned char* end = bytes;
        if (bytes != nullptr && i2d_SSL_SESSION(session, &end) == size) {
            zone->put(id_of(session), {bytes, memory},
                      SSL_SESSION_get_time(session) + SSL_SESSION_get_timeout(session));
        }
        OPENSSL_clear_free(bytes, memory);
    }
    return 0;  // the session stays OpenSSL's
}

SSL_SESSION* find_session(SSL* ssl, const unsigned char* id, int size, int* copied)
{
    *copied = 0;  // the caller owns what is returned
    SessionZone* const zone = zone_of(SSL_get_SSL_CTX(ssl));
    if (zone == nullptr) {
        return nullptr;
    }
    auto bytes = zone->find({reinterpret_cast<const char*>(id), static_cast<std::size_t>(size)},
                            std::time(nullptr));
    if (!bytes) {
        return nullptr;
    }
    const auto* begin = reinterpret_cast<const unsigned char*>(bytes->data());
    SSL_SESSION* const session = d2i_SSL_SESSION(nullptr, &begin, static_cast<long>(bytes->size()));
    OPENSSL_cleanse(bytes->data(), bytes->size());
    return session;
}

void forget_session(SSL_CTX* context, SSL_SESSION* session)
{
    if (SessionZone* const zone = zone_of(context)) {
        zone->remove(id_of(session));
    }
}

class Digest
{
public:
    Digest() : context_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(context_, EVP_sha256(), nullptr); }
    ~Digest() { EVP_MD_CTX_free(context_); }
    Digest(const Digest&) = delete;
    Digest& operator=(const Digest&) = delete;

    void add(std::string_view bytes)
    {
        const std::uint64_t size = bytes.size();
        EVP_DigestUpdate(context_, &size, sizeof size);  // so that "ab","c" isn't "a","bc"
        EVP_DigestUpdate(context_, bytes.data(), bytes.size());
    }
    void add(const X509* certificate)
    {
        unsigned char hash[EVP_MAX_MD_SIZE];
        unsigned size = 0;
        X509_digest(certificate, EVP_sha256(), hash, &size);
        add({reinterpret_cast<const char*>(hash), size});
    }
    void add(X509_CRL* list)
    {
        unsigned char hash[EVP_MAX_MD_SIZE];
        unsigned size = 0;
        X509_CRL_digest(list, EVP_sha256(), hash, &size);
        add({reinterpret_cast<const char*>(hash), size});
    }
    std::array<unsigned char, 32> finish()
    {
        std::array<unsigned char, 32> result{};
        EVP_DigestFinal_ex(context_, result.data(), nullptr);
        return result;
    }

private:
    EVP_MD_CTX* context_;
};

}  // namespace

ServerContext::ServerContext(const config::Ssl& settings, Shared shared)
    : settings_(settings), shared_(std::move(shared)), context_(new_context(TLS_server_method()))
{
}

std::expected<std::unique_ptr<ServerContext>, config::Error> ServerContext::load(
    const config::Ssl& settings, Shared shared, Loading& loading)
{
    std::unique_ptr<ServerContext> made(new ServerContext(settings, std::move(shared)));
    if (!made->context_) {
        return std::unexpected(config::Error{"SSL_CTX_new() failed" + take_errors()});
    }
    if (auto done = made->configure(loading); !done) {
        return std::unexpected(std::move(done.error()));
    }
    return made;
}

config::Checked ServerContext::configure(Loading& loading)
{
    SSL_CTX* const context = context_.get();
    Connection::prepare(*context);
    if (settings_.prefer_server_ciphers) {
        SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    }
    if (auto done = set_protocols(*context, settings_.protocols, loading); !done) {
        return done;
    }
    if (auto done = set_ciphers(*context, settings_.ciphers); !done) {
        return done;
    }
    if (auto done = use_certificates(loading); !done) {
        return done;
    }
    if (auto done = use_key_exchange(); !done) {
        return done;
    }
    if (auto done = verify_clients(); !done) {
        return done;
    }
    if (auto done = apply_commands(*context, settings_.conf_commands, Role::server, loading);
        !done) {
        return done;
    }
    if (settings_.lean) {
        allow_lean(*context, settings_.conf_commands, loading);
    }
    ciphersuites_ = ciphersuites_of(context);
    Acceptor::prepare(context);
    keep_sessions();
    bind_sessions();
    return {};
}

config::Checked ServerContext::use_certificates(Loading& loading)
{
    for (const config::SslPair& pair : settings_.pairs) {
        if (auto done = use_pair(*context_, pair, settings_.password_file, loading); !done) {
            return done;
        }
    }
    if (settings_.pairs.empty() && shared_.self_signed) {
        if (SSL_CTX_use_certificate(context_.get(), shared_.self_signed->certificate.get()) != 1 ||
            SSL_CTX_use_PrivateKey(context_.get(), shared_.self_signed->key.get()) != 1) {
            return std::unexpected(
                config::Error{"self-signed certificate can't be used" + take_errors()});
        }
    }
    return {};
}

config::Checked ServerContext::use_key_exchange()
{
    const config::Written& curves = settings_.ecdh_curve;
    if (!curves.text.empty() && curves.text != "auto" &&
        SSL_CTX_set1_groups_list(context_.get(), curves.text.c_str()) != 1) {
        return failed(curves.where,
                      fmt::format("SSL_CTX_set1_curves_list(\"{}\") failed", curves.text));
    }
    const config::Written& dhparam = settings_.dhparam;
    if (dhparam.text.empty()) {
        return {};
    }
    const BioPtr in(BIO_new_file(dhparam.text.c_str(), "r"));
    if (!in) {
        return failed(dhparam.where, fmt::format("BIO_new_file(\"{}\") failed", dhparam.text));
    }
    KeyPtr parameters(PEM_read_bio_Parameters(in.get(), nullptr));
    if (!parameters) {
        return failed(dhparam.where,
                      fmt::format("PEM_read_bio_Parameters(\"{}\") failed", dhparam.text));
    }
    if (SSL_CTX_set0_tmp_dh_pkey(context_.get(), parameters.get()) != 1) {
        return failed(dhparam.where,
                      fmt::format("SSL_CTX_set0_tmp_dh_pkey(\"{}\") failed", dhparam.text));
    }
    std::ignore = parameters.release();
    return {};
}

config::Checked ServerContext::verify_clients()
{
    if (settings_.verify_client == config::VerifyClient::off) {
        return {};
    }
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, accept_any_certificate);
    SSL_CTX_set_verify_depth(context_.get(), static_cast<int>(settings_.verify_depth));
    if (!settings_.client_certificate.text.empty()) {
        if (auto done = trust(*context_, settings_.client_certificate, true); !done) {
            return done;
        }
    }
    if (!settings_.trusted_certificate.text.empty()) {
        if (auto done = trust(*context_, settings_.trusted_certificate); !done) {
            return done;
        }
    }
    if (!settings_.crl.text.empty()) {
        return use_crl(*context_, settings_.crl);
    }
    return {};
}

void ServerContext::keep_sessions()
{
    using Own = config::SslSessionCache::Own;
    SSL_CTX* const context = context_.get();
    const config::SslSessionCache& cache = settings_.session_cache;
    SSL_CTX_set_timeout(context, settings_.session_timeout.count());
    SSL_CTX_set_cert_cb(context, set_lifetime, nullptr);
    SSL_CTX_set_info_callback(context, age_session);
    long mode = SSL_SESS_CACHE_SERVER;
    if (cache.own != Own::builtin) {
        mode |= SSL_SESS_CACHE_NO_INTERNAL;
    } else if (cache.builtin_sessions > 0) {
        SSL_CTX_sess_set_cache_size(context, cache.builtin_sessions);
    }
    if (cache.own == Own::off && cache.zone.empty()) {
        mode = SSL_SESS_CACHE_OFF;
    }
    SSL_CTX_set_session_cache_mode(context, mode);
    if (shared_.zone) {
        SSL_CTX_set_ex_data(context, zone_index(), shared_.zone.get());
    }
    // Always there, as a connection may have begun with another server's context.
    SSL_CTX_sess_set_new_cb(context, keep_session);
    SSL_CTX_sess_set_get_cb(context, find_session);
    SSL_CTX_sess_set_remove_cb(context, forget_session);
    if (!settings_.session_tickets) {
        SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
        if (cache.own != Own::builtin && cache.zone.empty()) {
            SSL_CTX_set_num_tickets(context, 0);  // TLS 1.3: nobody could come back with them
        }
    } else {
        // OpenSSL would send two. Whoever opens several connections at once gets one on each.
        SSL_CTX_set_num_tickets(context, 1);
        if (shared_.ticket_keys) {
            shared_.ticket_keys->attach(*context);
        }
    }
}

// A session is resumed only where all that decides whom we let in is the same.
void ServerContext::bind_sessions()
{
    SSL_CTX* const context = context_.get();
    Digest digest;
    digest.add("MAIL");
    for (long set = SSL_CTX_set_current_cert(context, SSL_CERT_SET_FIRST); set == 1;
         set = SSL_CTX_set_current_cert(context, SSL_CERT_SET_NEXT)) {
        digest.add(SSL_CTX_get0_certificate(context));
    }
    SSL_CTX_set_current_cert(context, SSL_CERT_SET_FIRST);
    digest.add(std::to_string(static_cast<int>(settings_.verify_client)));
    digest.add(std::to_string(settings_.verify_depth));
    if (settings_.verify_client != config::VerifyClient::off) {
        const STACK_OF(X509_OBJECT)* const trusted =
            X509_STORE_get0_objects(SSL_CTX_get_cert_store(context));
        for (int i = 0; i < sk_X509_OBJECT_num(trusted); ++i) {
            const X509_OBJECT* const one = sk_X509_OBJECT_value(trusted, i);
            if (const X509* const certificate = X509_OBJECT_get0_X509(one)) {
                digest.add(certificate);
            } else if (X509_CRL* const list =
                           X509_OBJECT_get0_X509_CRL(const_cast<X509_OBJECT*>(one))) {
                digest.add(list);
            }
        }
    }
    const auto id = digest.finish();
    SSL_CTX_set_session_id_context(context, id.data(), id.size());
}

// SSL_set_SSL_CTX alone takes certificates, ciphers and trust; the rest was copied from the first
// context when the connection was made.
bool ServerContext::take_over(ssl_st* ssl) const
{
    SSL_CTX* const context = context_.get();
    if (SSL_set_SSL_CTX(ssl, context) == nullptr) {
        return false;
    }
    SSL_clear_options(ssl, SSL_get_options(ssl) & ~SSL_CTX_get_options(context));
    SSL_set_options(ssl, SSL_CTX_get_options(context));
    SSL_set_min_proto_version(ssl, static_cast<int>(SSL_CTX_get_min_proto_version(context)));
    SSL_set_max_proto_version(ssl, static_cast<int>(SSL_CTX_get_max_proto_version(context)));
    SSL_set_verify(ssl, SSL_CTX_get_verify_mode(context), SSL_CTX_get_verify_callback(context));
    SSL_set_verify_depth(ssl, SSL_CTX_get_verify_depth(context));
    SSL_set_num_tickets(ssl, SSL_CTX_get_num_tickets(context));
    // Those of the first context would stay, and there is no way back to "none set".
    const std::string& curves = settings_.ecdh_curve.text;
    const bool is_auto = curves.empty() || curves == "auto";
    if (SSL_set1_groups_list(ssl, is_auto ? kUsualGroups : curves.c_str()) != 1 ||
        SSL_set_ciphersuites(ssl, ciphersuites_.c_str()) != 1) {
        return false;
    }
    return apply_commands(*ssl, settings_.conf_commands);
}

}  // namespace postern::tls
