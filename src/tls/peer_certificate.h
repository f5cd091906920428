#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tls/openssl.h"

namespace postern::tls {

// What a client's certificate says, as text for the Auth-SSL-* headers.
struct PeerCertificate {
    std::string subject;      // RFC 2253 form: "CN=bob x,O=A\, B,C=US"
    std::string issuer;       // the same
    std::string serial;       // upper-case hex, no separators
    std::string fingerprint;  // SHA-1 of the DER, lower-case hex
    std::string pem;          // "-----BEGIN CERTIFICATE-----\n...", with a last line feed
    // Whose it is, for EXTERNAL: its e-mail addresses (subjectAltName) or, if it has none, its
    // common name. Empty if it names nobody, or names somebody in a text with control characters.
    std::vector<std::string> users;
};

// Of a session with TLS after its handshake. `verify` is OpenSSL's verdict (X509_V_...), 0 if fine.
struct PeerVerdict {
    bool present = false;  // the client sent a certificate
    long code = 0;
    std::string text;  // of the code: "self-signed certificate"

    bool is_good() const { return present && code == 0; }
    // Bad for no other reason than that nobody we trust has signed it: "optional_no_ca" lets such
    // certificates pass (OpenSSL's codes 18, 19, 20, 21 and 27).
    bool is_only_untrusted() const;
};

PeerVerdict verdict_on_peer(const ssl_st* ssl);

// Nothing in it if the client sent no certificate.
PeerCertificate read_peer_certificate(const ssl_st* ssl);

}  // namespace postern::tls
