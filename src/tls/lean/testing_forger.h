// For tests: connections whose secrets are seen, and a peer that seals what no TLS library would.
#pragma once

#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "tls/lean/testing.h"
#include "tls/lean/witness.h"
#include "tls/testing.h"

namespace postern::tls::lean {

// Contexts of both sides, watched, with what a configuration would say left out.
struct WatchedContexts {
    WatchedContexts()
        : server(new_context(TLS_server_method())), client(new_context(TLS_client_method()))
    {
        const Issued issued = issue({});
        SSL_CTX_use_certificate(server.get(), issued.certificate.get());
        SSL_CTX_use_PrivateKey(server.get(), issued.key.get());
        for (SSL_CTX* const context : {server.get(), client.get()}) {
            Connection::prepare(*context);
            EXPECT_TRUE(watch(*context));
        }
    }
    std::unique_ptr<Pair> pair() const
    {
        SslPtr server_ssl(SSL_new(server.get()));
        SslPtr client_ssl(SSL_new(client.get()));
        SSL_set_accept_state(server_ssl.get());
        SSL_set_connect_state(client_ssl.get());
        return std::make_unique<Pair>(std::move(server_ssl), std::move(client_ssl));
    }

    SslContextPtr server;
    SslContextPtr client;
};

// A peer that seals what no TLS library would.
class Forger
{
public:
    Forger(const Channel::Beginning& beginning, Engine& engine)
        : suite_(beginning.suite), keys_(beginning.writes), engine_(engine)
    {
    }

    std::string seal(unsigned char type, std::string_view content, std::size_t padding = 0,
                     std::array<unsigned char, 3> header = {23, 3, 3})
    {
        std::string trailer(1 + padding, '\0');
        trailer[0] = static_cast<char>(type);
        const std::size_t sealed = content.size() + trailer.size() + kTagBytes;
        std::string record(kHeaderBytes + sealed, '\0');
        auto* const out = reinterpret_cast<unsigned char*>(record.data());
        std::ranges::copy(header, out);
        out[3] = static_cast<unsigned char>(sealed >> 8);
        out[4] = static_cast<unsigned char>(sealed);
        const auto nonce = keys_.nonce();
        engine_.seal({suite_, keys_.key_of(suite_), nonce.data(), Bytes(out, kHeaderBytes)},
                     octets(content), octets(trailer), out + kHeaderBytes);
        ++keys_.sequence;
        return record;
    }
    void update_keys() { update(keys_, suite_, engine_); }

private:
    Suite suite_;
    TrafficKeys keys_;
    Engine& engine_;
};

}  // namespace postern::tls::lean
