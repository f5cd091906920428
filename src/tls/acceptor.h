#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/settings.h"
#include "tls/openssl.h"

namespace postern::tls {

class ServerContext;

// TLS at one listening address: which of its servers a client means is decided by the name that it
// asks for (Server Name Indication, RFC 6066 section 3). Does not change after it was made: all
// event loops share it.
class Acceptor
{
public:
    // A server at this address: its index in Settings::servers, its settings and its context, which
    // outlive this.
    struct Server {
        std::size_t index = 0;
        const config::MailServer* settings = nullptr;
        const ServerContext* context = nullptr;
    };

    // The first of `servers` is for clients that ask for no name, or for one that nobody has. Of
    // servers with the same name the first has it. `protocol` is the only one that ALPN may name.
    Acceptor(std::vector<Server> servers, config::Protocol protocol);

    // Makes a context fit for connections that an acceptor makes.
    static void prepare(ssl_ctx_st* context);

    // For one client, to be given to a stream.
    SslPtr accept() const;
    // Which server the client of `ssl` (made here) is with: an index in Settings::servers. Final
    // once the handshake is over.
    static std::size_t server_of(const ssl_st* ssl);

    // The server for a name, in any case, with or without the last dot: an exact one, then the
    // longest "*.DOMAIN", then the first.
    const Server& choose(std::string_view name) const;
    bool has_several_servers() const { return servers_.size() > 1; }
    std::string_view protocol() const { return config::to_string(protocol_); }

private:
    std::vector<Server> servers_;
    config::Protocol protocol_;
    const ServerContext* base_ = nullptr;  // what connections begin with
    std::unordered_map<std::string, std::size_t> exact_;
    std::unordered_map<std::string, std::size_t> below_;  // "example.com" of "*.example.com"
};

}  // namespace postern::tls
