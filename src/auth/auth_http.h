#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <variant>

#include "auth/auth_http_message.h"
#include "auth/authenticator.h"
#include "auth/http_connections.h"
#include "net/conversation.h"
#include "net/resolver.h"

namespace postern::auth {

// Asks the HTTP service that "auth_http" names. A WAIT is waited for here. Differs from NGINX: the
// service's name is looked up when it is needed, and all its addresses are tried.
class AuthHttp final : public Authenticator
{
public:
    // So long a service may say WAIT, over and over.
    static constexpr std::chrono::seconds kLongestWaiting{3600};

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
    using Outcome = std::variant<Mailbox, Refusal, Wait, Failure>;
    // One request and all that goes with it.
    struct Question {
        const Secret& request;
        const Claim& claim;
        const Peer& peer;
        log::SessionLog& log;
        net::Deadline& deadline;
    };

    net::Task<Outcome> ask(const Secret& request, const Claim& claim, const Peer& peer,
                           log::SessionLog& log);
    net::Task<std::optional<HttpConnection>> connect(Question& question);
    net::Task<std::optional<net::Resolver::Addresses>> addresses(Question& question);
    net::Task<bool> start_tls(HttpConnection& connection, net::Deadline& deadline,
                              log::SessionLog& log);
    net::Task<std::optional<Outcome>> exchange(HttpConnection& connection, Question& question);
    Outcome read(const http::ResponseHead& head, const HttpConnection& connection,
                 const Question& question) const;
    net::Task<> keep(HttpConnection& connection, net::Conversation& conversation,
                     http::ResponseHead head);

    net::Loop& loop_;
    net::Resolver& resolver_;
    std::shared_ptr<HttpConnections> connections_;
    HttpService service_;
};

}  // namespace postern::auth
