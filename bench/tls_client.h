#pragma once

#include "tls/openssl.h"

namespace postern::bench {

// TLS 1.3 of clients that trust everybody: whom they talk to is known.
class TlsClient
{
public:
    // With `resume`, tickets are kept for whoever asks for them.
    explicit TlsClient(bool resume);

    // For one connection, with the newest ticket of its client if that is not empty. What tickets
    // come replaces it: `ticket` has to outlive the connection.
    tls::SslPtr connect(int descriptor, tls::SessionPtr& ticket) const;
    bool resumes() const { return resumes_; }

private:
    tls::SslContextPtr context_;
    bool resumes_;
};

}  // namespace postern::bench
