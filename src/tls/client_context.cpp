#include "tls/client_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <list>
#include <mutex>
#include <unordered_map>

#include "tls/connection.h"
#include "tls/key_schedule.h"

namespace postern::tls {

// Of each target the last session. Sessions arrive after handshakes, on any event loop.
struct ClientContext::Sessions {
    static constexpr std::size_t kMax = 1024;

    std::mutex mutex;
    std::list<std::pair<std::string, SessionPtr>> newest_first;
    std::unordered_map<std::string, decltype(newest_first)::iterator> by_target;

    void put(const std::string& target, SessionPtr session)
    {
        const std::lock_guard lock(mutex);
        if (const auto known = by_target.find(target); known != by_target.end()) {
            known->second->second = std::move(session);
            newest_first.splice(newest_first.begin(), newest_first, known->second);
            return;
        }
        newest_first.emplace_front(target, std::move(session));
        by_target.emplace(target, newest_first.begin());
        if (newest_first.size() > kMax) {
            by_target.erase(newest_first.back().first);
            newest_first.pop_back();
        }
    }

    void remove(const std::string& target)
    {
        const std::lock_guard lock(mutex);
        if (const auto known = by_target.find(target); known != by_target.end()) {
            newest_first.erase(known->second);
            by_target.erase(known);
        }
    }

    SessionPtr find(const std::string& target)
    {
        const std::lock_guard lock(mutex);
        const auto known = by_target.find(target);
        if (known == by_target.end()) {
            return nullptr;
        }
        SSL_SESSION* const session = known->second->second.get();
        SSL_SESSION_up_ref(session);
        return SessionPtr(session);
    }
};

namespace {

// The key of a connection's session, which it owns; none once its peer was found wanting.
int target_index()
{
    static const int index = SSL_get_ex_new_index(
        0, nullptr, nullptr, nullptr, [](void*, void* target, CRYPTO_EX_DATA*, int, long, void*) {
            delete static_cast<std::string*>(target);
        });
    return index;
}

int sessions_index()
{
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

bool is_address(const std::string& name)
{
    const std::unique_ptr<ASN1_OCTET_STRING, decltype(&ASN1_OCTET_STRING_free)> address(
        a2i_IPADDRESS(name.c_str()), ASN1_OCTET_STRING_free);
    ERR_clear_error();
    return address != nullptr;
}

}  // namespace

ClientContext::ClientContext(const config::ClientSsl& settings, Verifies verifies)
    : settings_(settings),
      verifies_(verifies),
      context_(new_context(TLS_client_method())),
      sessions_(std::make_unique<Sessions>())
{
}

ClientContext::~ClientContext() = default;

std::expected<std::unique_ptr<ClientContext>, config::Error> ClientContext::load(
    const config::ClientSsl& settings, Loading& loading, Verifies verifies)
{
    std::unique_ptr<ClientContext> made(new ClientContext(settings, verifies));
    SSL_CTX* const context = made->context_.get();
    if (context == nullptr) {
        return std::unexpected(config::Error{"SSL_CTX_new() failed" + take_errors()});
    }
    Connection::prepare(*context);
    target_index();  // for the same reason
    SSL_CTX_set_verify_depth(context, static_cast<int>(settings.verify_depth));
    auto done = set_protocols(*context, settings.protocols, loading);
    if (done) {
        done = set_ciphers(*context, settings.ciphers);
    }
    if (done && !settings.pair.certificate.text.empty()) {
        done = use_pair(*context, settings.pair, settings.password_file, loading);
    }
    if (done && !settings.trusted_certificate.text.empty()) {
        done = trust(*context, settings.trusted_certificate);
    }
    if (done && !settings.crl.text.empty()) {
        done = use_crl(*context, settings.crl);
    }
    if (done) {
        done = apply_commands(*context, settings.conf_commands, Role::client, loading);
    }
    if (!done) {
        return std::unexpected(std::move(done.error()));
    }
    if (settings.lean) {
        allow_lean(*context, settings.conf_commands, loading);
    }
    if (settings.trusted_certificate.text.empty() && verifies == Verifies::maybe) {
        SSL_CTX_set_default_verify_paths(context);  // a system without any: nobody is trusted
        ERR_clear_error();
    }
    if (settings.session_reuse) {
        SSL_CTX_set_ex_data(context, sessions_index(), made->sessions_.get());
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(context, [](SSL* ssl, SSL_SESSION* session) {
            auto* const sessions =
                static_cast<Sessions*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), sessions_index()));
            const auto* const target =
                static_cast<const std::string*>(SSL_get_ex_data(ssl, target_index()));
            if (target == nullptr) {
                return 0;
            }
            SessionPtr ours(session);
            try {
                sessions->put(*target, std::move(ours));
            } catch (const std::bad_alloc&) {  // OpenSSL is not to see it, nor to free it again
            }
            return 1;  // it is ours now
        });
    } else {
        SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    }
    return made;
}

SslPtr ClientContext::connect(const Target& target) const
{
    SslPtr ssl(SSL_new(context_.get()));
    if (!ssl) {
        throw std::bad_alloc();
    }
    SSL_set_connect_state(ssl.get());
    const bool has_host = !target.name.empty() && !is_address(target.name);
    if (settings_.server_name && has_host) {  // RFC 6066 section 3: never an address
        if (SSL_set_tlsext_host_name(ssl.get(), target.name.c_str()) != 1) {
            throw std::bad_alloc();
        }
    }
    if (settings_.session_reuse) {
        auto key = std::make_unique<std::string>(
            fmt::format("{}\n{}\n{}", target.address, target.name, target.verify));
        if (const SessionPtr session = sessions_->find(*key)) {
            SSL_set_session(ssl.get(), session.get());
        }
        if (SSL_set_ex_data(ssl.get(), target_index(), key.get()) != 1) {
            throw std::bad_alloc();
        }
        key.release();
    }
    return ssl;
}

std::string ClientContext::problem(ssl_st* ssl, const Target& target) const
{
    if (!target.verify) {
        return "";
    }
    std::string problem;
    const long verdict = SSL_get_verify_result(ssl);
    X509* const certificate = SSL_get0_peer_certificate(ssl);
    if (verdict != X509_V_OK) {
        problem = fmt::format("SSL certificate verify error: ({}:{})", verdict,
                              X509_verify_cert_error_string(verdict));
    } else if (certificate == nullptr) {
        problem = "sent no SSL certificate";
    } else if (X509_check_ip_asc(certificate, target.name.c_str(), 0) != 1 &&
               X509_check_host(certificate, target.name.data(), target.name.size(), 0, nullptr) !=
                   1) {
        problem = fmt::format("SSL certificate does not match \"{}\"", target.name);
    }
    ERR_clear_error();
    if (!problem.empty()) {
        forget(ssl);
    }
    return problem;
}

// Neither sessions that came with the handshake nor those that may still come are kept.
void ClientContext::forget(ssl_st* ssl) const
{
    auto* const target = static_cast<std::string*>(SSL_get_ex_data(ssl, target_index()));
    if (target != nullptr) {
        sessions_->remove(*target);
        SSL_set_ex_data(ssl, target_index(), nullptr);
        delete target;
    }
}

}  // namespace postern::tls
