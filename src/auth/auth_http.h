#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/auth_http_message.h"
#include "auth/authenticator.h"
#include "net/conversation.h"
#include "net/resolver.h"

namespace postern::auth {

// The connections to one authentication service that wait for their next request. One an event
// loop.
class HttpConnections
{
public:
    // One that is still open, or none.
    std::unique_ptr<net::Stream> take();
    // Keeps it, unless `limit` wait already.
    void give(std::unique_ptr<net::Stream> connection, unsigned limit);

private:
    std::vector<std::unique_ptr<net::Stream>> idle_;
};

// Asks the HTTP service that "auth_http" names.
class AuthHttp final : public Authenticator
{
public:
    AuthHttp(net::Loop& loop, net::Resolver& resolver, std::shared_ptr<HttpConnections> connections,
             HttpService service)
        : loop_(loop),
          resolver_(resolver),
          connections_(std::move(connections)),
          service_(std::move(service))
    {
    }

    net::Task<Verdict> check(const Claim& claim, const Peer& peer, log::SessionLog& log) override;

private:
    // A connection, and the server's name for log lines.
    struct Connection {
        std::unique_ptr<net::Stream> stream;
        bool reused = false;
    };

    net::Task<std::optional<http::ResponseHead>> ask(const Secret& request, log::SessionLog& log);
    net::Task<std::optional<http::ResponseHead>> exchange(Connection& connection,
                                                          const Secret& request,
                                                          net::Deadline& deadline,
                                                          log::SessionLog& log);
    net::Task<Connection> connect(net::Deadline& deadline, log::SessionLog& log);
    net::Task<> finish(Connection& connection, net::Conversation& conversation,
                       const http::ResponseHead& head);

    net::Loop& loop_;
    net::Resolver& resolver_;
    std::shared_ptr<HttpConnections> connections_;
    HttpService service_;
    std::string server_;  // the address that was last connected to, as log lines name it
};

}  // namespace postern::auth
