#pragma once

#include <cstdint>
#include <string>

#include "tls/openssl.h"

namespace postern::tls {

// What a connection with a client has come to, for those who are told about it behind us.
struct Facts {
    std::string server_name;  // that the client asked for; empty: for none
    std::string alpn;         // agreed on; empty: nothing
    std::string version;      // "TLSv1.3"
    std::string cipher;       // "TLS_AES_256_GCM_SHA384"
    // Of our own certificate: "RSA-SHA256" is what it is signed with, "RSA2048" its key.
    std::string signature_algorithm;
    std::string key_algorithm;
    // Of the client's certificate, if any.
    std::string common_name;
    bool certificate_in_session = false;     // sent when the TLS session began
    bool certificate_in_connection = false;  // which was now: the session was not resumed
    std::uint32_t verify = 1;                // 0: it is good; OpenSSL's code; 1 without one
};

// After the handshake.
Facts facts_of(const ssl_st* ssl);

}  // namespace postern::tls
