#pragma once

#include <cstddef>

#include "tls/hkdf.h"
#include "tls/openssl.h"

struct ssl_method_st;

namespace postern::tls {

// How contexts ask OpenSSL for the derivation of ours, which is taken unless the system's
// configuration demands something that it hasn't, such as "fips=yes" or "provider=fips": a query
// for the provider's name would take the place of that demand.
constexpr const char* kKeySchedule = "?postern.key_schedule=yes";

// A new context, TLS_server_method()'s or TLS_client_method()'s, that derives the keys of TLS 1.3
// (RFC 8446 section 7.1) with a "TLS13-KDF" of ours. A handshake derives some twenty keys, and for
// each of them OpenSSL 3.0 looks up the hash function, and makes and frees several objects, which
// costs more than the hashing. All else, and all arithmetic, is OpenSSL's; so is the derivation
// where the system's configuration demands more of an implementation ("fips=yes"). Null if OpenSSL
// fails.
SslContextPtr new_context(const ssl_method_st* method);

// Can the system's configuration do with our derivation?
bool has_key_schedule();

// While it exists, it is told of the secrets of application traffic (RFC 8446 section 7.1) that
// contexts of `new_context` derive in this thread; OpenSSL derives each when it sets the keys for
// one direction of a connection. One at a time.
class TrafficSecretListener
{
public:
    TrafficSecretListener(const TrafficSecretListener&) = delete;
    TrafficSecretListener& operator=(const TrafficSecretListener&) = delete;

    virtual void on_secret(bool is_clients, Octets secret) = 0;

protected:
    TrafficSecretListener();
    ~TrafficSecretListener();
};

}  // namespace postern::tls
