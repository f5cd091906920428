#include "bench/tls_client.h"

#include <openssl/ssl.h>

#include <stdexcept>
#include <string>

#include "bench/key_checks.h"
#include "tls/key_schedule.h"

namespace postern::bench {

namespace {

constexpr std::size_t kReadBufferBytes = 64 * 1024;  // several records with one call

// Called with each ticket that comes: it is where the connection's application data points to.
int keep_ticket(SSL* ssl, SSL_SESSION* session)
{
    static_cast<tls::SessionPtr*>(SSL_get_app_data(ssl))->reset(session);
    return 1;  // it is ours now
}

// Instead of a look at the certificate's chain. That whoever has sent it also has its key is
// checked all the same, as the handshake does that.
int trust(X509_STORE_CTX*, void*)
{
    return 1;
}

void check(bool done, const char* what)
{
    if (!done) {
        throw std::runtime_error(what + tls::take_errors());
    }
}

}  // namespace

TlsClient::TlsClient(bool resume)
    : context_(tls::new_context(TLS_client_method())), resumes_(resume)
{
    check(context_ != nullptr, "SSL_CTX_new_ex()");
    static const bool simplified = simplify_key_checks();
    check(simplified, "ENGINE_add()");
    SSL_CTX* const context = context_.get();
    check(SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1,
          "SSL_CTX_set_min_proto_version()");
    SSL_CTX_set_cert_verify_callback(context, trust, nullptr);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    // What is read with one call is worth more than the memory.
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, kReadBufferBytes);
    SSL_CTX_set_session_cache_mode(
        context, resume ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF);
    if (resume) {
        SSL_CTX_sess_set_new_cb(context, keep_ticket);
    }
}

tls::SslPtr TlsClient::connect(int descriptor, tls::SessionPtr& ticket) const
{
    tls::SslPtr ssl(SSL_new(context_.get()));
    check(ssl && SSL_set_fd(ssl.get(), descriptor) == 1, "SSL_new()");
    SSL_set_app_data(ssl.get(), &ticket);
    if (ticket) {
        check(SSL_set_session(ssl.get(), ticket.get()) == 1, "SSL_set_session()");
    }
    SSL_set_connect_state(ssl.get());
    return ssl;
}

}  // namespace postern::bench
