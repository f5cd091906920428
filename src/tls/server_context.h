#pragma once

#include <expected>
#include <memory>
#include <string>

#include "config/error.h"
#include "config/settings.h"
#include "tls/credentials.h"
#include "tls/openssl.h"
#include "tls/self_signed.h"
#include "tls/session_zone.h"
#include "tls/ticket_keys.h"

namespace postern::tls {

// TLS where we are the server: what the ssl_* directives of one or more servers say, loaded. Shared
// by all event loops.
class ServerContext
{
public:
    struct Shared {
        std::shared_ptr<const SelfSigned> self_signed;  // if no certificate is configured
        std::shared_ptr<SessionZone> zone;              // of "ssl_session_cache shared:"; or null
        std::shared_ptr<TicketKeys> ticket_keys;        // null: OpenSSL's own
    };

    // Loads what the settings, which must outlive this, name. The error is complete.
    static std::expected<std::unique_ptr<ServerContext>, config::Error> load(
        const config::Ssl& settings, Shared shared, Loading& loading);

    ssl_ctx_st* get() const { return context_.get(); }
    // Makes a connection that began with another context go on with all that this one says. To be
    // called while the ClientHello is looked at.
    bool take_over(ssl_st* ssl) const;

private:
    ServerContext(const config::Ssl& settings, Shared shared);

    config::Checked configure(Loading& loading);
    config::Checked use_certificates(Loading& loading);
    config::Checked use_key_exchange();
    config::Checked verify_clients();
    void keep_sessions();
    void bind_sessions();

    const config::Ssl& settings_;
    Shared shared_;
    SslContextPtr context_;
    std::string ciphersuites_;  // of TLS 1.3
};

}  // namespace postern::tls
