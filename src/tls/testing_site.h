// For tests: servers as a configuration would describe them, and clients that visit them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "config/settings.h"
#include "tls/acceptor.h"
#include "tls/server_context.h"
#include "tls/testing.h"

namespace postern::tls {

inline config::Written written(std::string text, unsigned line = 7)
{
    return {std::move(text), {"postern.conf", line}};
}

// The documented defaults.
inline config::Ssl default_ssl()
{
    config::Ssl ssl;
    ssl.protocols = {{"TLSv1.2", "TLSv1.3"}, {"postern.conf", 1}};
    ssl.ciphers = written("HIGH:!aNULL:!MD5", 2);
    ssl.ecdh_curve = written("auto", 3);
    return ssl;
}

inline config::SslPair pair_of(const Folder& folder, const std::string& name, const Issued& issued)
{
    return {written(folder.write(name + ".pem", issued.certificate_pem()), 11),
            written(folder.write(name + ".key", issued.key_pem()), 12)};
}

// Servers at one address.
class Site
{
public:
    using Change = std::function<void(config::MailServer&)>;

    // With a certificate for the first name. False, and `error` says why, if it can't be loaded.
    bool add(const std::vector<std::string>& names, const Change& change = {},
             ServerContext::Shared shared = {})
    {
        auto server = std::make_unique<config::MailServer>();
        server->names = names;
        server->ssl = default_ssl();
        const std::string name = names.empty() ? "unnamed" : names.front();
        server->ssl.pairs.push_back(pair_of(folder, name, issue({.common_name = name})));
        if (change) {
            change(*server);
        }
        Loading loading{warnings, folder.path()};
        auto context = ServerContext::load(server->ssl, std::move(shared), loading);
        if (!context) {
            error = context.error().text;
            return false;
        }
        contexts.push_back(std::move(*context));
        servers.push_back(std::move(server));
        return true;
    }

    const Acceptor& acceptor()
    {
        if (!acceptor_) {
            std::vector<Acceptor::Server> list;
            for (std::size_t i = 0; i < servers.size(); ++i) {
                list.push_back({100 + i, servers[i].get(), contexts[i].get()});
            }
            acceptor_ = std::make_unique<Acceptor>(list, config::Protocol::imap);
        }
        return *acceptor_;
    }

    Folder folder;
    std::vector<config::Warning> warnings;
    std::string error;
    std::vector<std::unique_ptr<config::MailServer>> servers;
    std::vector<std::unique_ptr<ServerContext>> contexts;

private:
    std::unique_ptr<Acceptor> acceptor_;
};

// Who comes to a site, with what it remembers of the last time.
class Visitor
{
public:
    Visitor()
    {
        SSL_CTX_set_session_cache_mode(context.get(),
                                       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
        SSL_CTX_set_security_level(context.get(), 0);
        SSL_CTX_set_ex_data(context.get(), 0, this);
        SSL_CTX_sess_set_new_cb(context.get(), [](SSL* ssl, SSL_SESSION* got) {
            void* const self = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), 0);
            static_cast<Visitor*>(self)->session.reset(got);
            return 1;
        });
    }

    // True if the handshake succeeds. Takes what the server says after it, so a ticket too.
    bool visit(Site& site, const std::string& name, bool with_session = false)
    {
        SslPtr ssl(SSL_new(context.get()));
        if (!name.empty()) {
            SSL_set_tlsext_host_name(ssl.get(), name.c_str());
        }
        if (with_session) {
            EXPECT_EQ(SSL_set_session(ssl.get(), session.get()), 1);
        }
        SSL_set_connect_state(ssl.get());
        pair = std::make_unique<Pair>(site.acceptor().accept(), std::move(ssl));
        ERR_clear_error();
        if (!pair->shake_hands()) {
            return false;
        }
        pair->server.write("* OK\r\n");
        Pair::read(pair->client);
        return true;
    }

    SSL* server() const { return pair->server.ssl(); }
    SSL* client() const { return pair->client.ssl(); }
    std::size_t server_index() const { return Acceptor::server_of(server()); }
    bool resumed() const { return SSL_session_reused(client()) == 1; }
    // Whose certificate was shown.
    std::string common_name() const
    {
        const CertificatePtr certificate(SSL_get1_peer_certificate(client()));
        char text[256] = "";
        if (certificate) {
            X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName,
                                      text, sizeof text);
        }
        return text;
    }

    SslContextPtr context{SSL_CTX_new(TLS_client_method())};
    SessionPtr session;
    std::unique_ptr<Pair> pair;
};

}  // namespace postern::tls
