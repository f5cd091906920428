#pragma once

#include "auth/authenticator.h"
#include "config/settings.h"
#include "log/session_log.h"
#include "tls/connection.h"

namespace postern::session {

enum class CertificateVerdict : unsigned char {
    fine,     // or nobody asked for one
    bad,      // there is one, and it is not good enough
    missing,  // there has to be one
};

// What "ssl_verify_client" says of the certificate of a client that is under TLS now. Fills in what
// the service is told of it; what is not fine is logged, and its TLS session is not resumed.
CertificateVerdict check_certificate(const tls::Connection& connection, config::VerifyClient mode,
                                     auth::PeerTls& peer, const log::SessionLog& log);

}  // namespace postern::session
