// OpenSSL's objects with their owners, and its errors as text. Included by tls/ only where it must
// be: other folders name the types and never look into them.
#pragma once

#include <memory>
#include <string>

struct ssl_st;
struct ssl_ctx_st;
struct ssl_session_st;
struct x509_st;
struct evp_pkey_st;
struct bio_st;

namespace postern::tls {

struct Free {
    void operator()(ssl_st* ssl) const;
    void operator()(ssl_ctx_st* context) const;
    void operator()(ssl_session_st* session) const;
    void operator()(x509_st* certificate) const;
    void operator()(evp_pkey_st* key) const;
    void operator()(bio_st* bio) const;
};

using SslPtr = std::unique_ptr<ssl_st, Free>;
using SslContextPtr = std::unique_ptr<ssl_ctx_st, Free>;
using SessionPtr = std::unique_ptr<ssl_session_st, Free>;
using CertificatePtr = std::unique_ptr<x509_st, Free>;
using BioPtr = std::unique_ptr<bio_st, Free>;
using KeyPtr = std::unique_ptr<evp_pkey_st, Free>;

// What was written to a BIO in memory.
std::string content(bio_st& memory);

// " (SSL: error:0A00018F:SSL routines::ee key too small)": all of this thread's queued errors, as
// NGINX appends them to a message, and forgets them. "" if there are none.
std::string take_errors();

}  // namespace postern::tls
