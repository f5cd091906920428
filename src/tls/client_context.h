#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "config/error.h"
#include "config/settings.h"
#include "tls/credentials.h"
#include "tls/openssl.h"

namespace postern::tls {

// TLS where we are the client: what proxy_ssl_* or auth_http_ssl_* say, loaded. Keeps the sessions
// of earlier connections for later ones. Shared by all event loops.
class ClientContext
{
public:
    // Whom we mean to talk to.
    struct Target {
        std::string address;  // "IP:PORT" or "unix:PATH": with the name, what sessions are kept for
        std::string name;     // to be in its certificate: a host name or an IP address
        bool verify = true;   // is the certificate looked at?
    };

    // Whether any target is to be verified. If none is, the many whom the system trusts are not
    // loaded, and nobody is trusted.
    enum class Verifies : unsigned char { never, maybe };

    // Loads what the settings name. The error is complete ("cannot load ... in FILE:LINE").
    static std::expected<std::unique_ptr<ClientContext>, config::Error> load(
        const config::ClientSsl& settings, Loading& loading, Verifies verifies = Verifies::maybe);
    ~ClientContext();

    const config::ClientSsl& settings() const { return settings_; }
    Verifies verifies() const { return verifies_; }

    // For one connection, to be given to a stream. Asks for the name, unless it is an address or
    // the settings say not to.
    SslPtr connect(const Target& target) const;
    // After the handshake and before anything is said: what is wrong with the peer's certificate,
    // "SSL certificate verify error: (18:self-signed certificate)" or "SSL certificate does not
    // match \"NAME\"", to be logged behind "upstream " or the like; "" if all is well or nobody
    // wants to know.
    std::string problem(ssl_st* ssl, const Target& target) const;

private:
    ClientContext(const config::ClientSsl& settings, Verifies verifies);
    void forget(ssl_st* ssl) const;
    struct Sessions;

    config::ClientSsl settings_;
    Verifies verifies_;
    SslContextPtr context_;
    std::unique_ptr<Sessions> sessions_;
};

}  // namespace postern::tls
