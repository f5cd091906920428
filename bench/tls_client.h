#pragma once

#include <memory>
#include <string>

struct ssl_st;
struct ssl_ctx_st;
struct ssl_session_st;

namespace postern::bench {

// What frees OpenSSL's objects.
struct FreeTls {
    void operator()(ssl_st* ssl) const;
    void operator()(ssl_ctx_st* context) const;
    void operator()(ssl_session_st* session) const;
};
using SslPtr = std::unique_ptr<ssl_st, FreeTls>;
using SslSessionPtr = std::unique_ptr<ssl_session_st, FreeTls>;

// What OpenSSL has to say of this thread's last failure; "" if nothing.
std::string take_tls_errors();

// TLS 1.3 of clients that trust everybody: whom they talk to is known.
class TlsClient
{
public:
    // With `resume`, tickets are kept for whoever asks for them.
    explicit TlsClient(bool resume);

    // For one connection, with the newest ticket of its client if that is not empty. What tickets
    // come replaces it: `ticket` has to outlive the connection.
    SslPtr connect(int descriptor, SslSessionPtr& ticket) const;
    bool resumes() const { return resumes_; }

private:
    std::unique_ptr<ssl_ctx_st, FreeTls> context_;
    bool resumes_;
};

}  // namespace postern::bench
