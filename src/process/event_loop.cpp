#include "process/event_loop.h"

#include <algorithm>

#include "listen/access.h"

namespace postern::process {

namespace {

// Of a loop's connections, no more than one in this many is held by an answer that is held back.
constexpr unsigned kHeldAnswersShare = 8;

}  // namespace

EventLoop::EventLoop(Shared& shared)
    : shared_(shared),
      held_answers_(std::max(shared.settings.events.worker_connections / kHeldAnswersShare, 1U))
{
    ++shared.accepting_loops;
    loop_.set_connection_limit(shared.settings.events.worker_connections);
    servers_.reserve(shared.settings.servers.size());
    for (std::size_t i = 0; i < shared.settings.servers.size(); ++i) {
        const config::MailServer& settings = shared.settings.servers[i];
        using Sources = net::Resolver::Sources;
        net::Resolver& resolver = resolver_for(settings.resolver, Sources::hosts_file_and_dns);
        // NGINX: a client's name is what DNS says, whatever /etc/hosts has.
        net::Resolver& client_resolver =
            resolver_for(settings.resolver,
                         settings.resolver.configured ? Sources::dns : Sources::hosts_file_and_dns);
        authenticators_.push_back(make_authenticator(i, resolver));
        servers_.push_back({settings, shared.logs.servers[i], resolver, client_resolver,
                            *authenticators_.back(), shared.tls.for_backends(i),
                            shared.auth_failures, &held_answers_,
                            shared.access_logs.empty() ? nullptr : &shared.access_logs[i]});
    }
    const auto accepts =
        shared.settings.events.multi_accept ? listen::Accepts::many : listen::Accepts::one;
    for (const listen::Socket& socket : shared.sockets) {
        const auto on_accept = [this, &socket](Descriptor descriptor, const SocketAddress& client) {
            accept(socket, std::move(descriptor), client);
        };
        const auto on_full = [this] {
            return newcomers_.make_way(loop_.now(), session::Room::connection);
        };
        listeners_.push_back(
            std::make_unique<listen::Listener>(loop_, socket.descriptor(), socket.address().text(),
                                               shared.logs.main, accepts, on_accept, on_full));
    }
}

void EventLoop::drain()
{
    loop_.post([this] {
        if (draining_) {
            return;
        }
        draining_ = true;
        for (const auto& listener : listeners_) {
            listener->finish();
        }
        listeners_.clear();
        if (--shared_.accepting_loops == 0) {
            // Nobody is kept waiting in a queue that nobody will ever look at. Sessions that go on
            // still name their endpoints in the log.
            std::ranges::for_each(shared_.sockets, &listen::Socket::close);
        }
        if (sessions_ == 0) {
            loop_.stop();
        }
    });
}

void EventLoop::stop()
{
    loop_.post([this] {
        newcomers_.dismiss();
        loop_.stop();
    });
}

void EventLoop::end_sessions()
{
    loop_.post([this] {
        newcomers_.dismiss();
        loop_.end_idle_waits();
        loop_.stop();  // at the end of this turn
    });
}

void EventLoop::accept(const listen::Socket& socket, Descriptor descriptor,
                       const SocketAddress& client)
{
    const listen::Endpoint& endpoint = socket.endpoint_of(descriptor.number());
    auto stream = std::make_unique<net::Stream>(loop_, descriptor.number());
    descriptor.release();
    ++sessions_;  // until the seat is given back
    session::Arrival arrival{
        .seat = session::Seat(this, [](void* self) { static_cast<EventLoop*>(self)->leave(); }),
        .newcomers = newcomers_,
        .admission = shared_.admission,
        .client = std::move(stream),
        .address = client,
        .endpoint = endpoint,
        .number = 1 + shared_.connections.fetch_add(1, std::memory_order_relaxed),
        .logs_everything = listen::is_among(shared_.settings.events.debug_connections, client),
        .keeps_record = shared_.has_access_logs};
    net::spawn(session::run(std::move(arrival), servers_));
}

void EventLoop::leave()
{
    --sessions_;
    if (draining_ && sessions_ == 0) {
        loop_.stop();
    }
}

net::Resolver& EventLoop::resolver_for(const config::Resolver& settings,
                                       net::Resolver::Sources sources)
{
    for (const KnownResolver& known : resolvers_) {
        if (known.settings == settings && known.sources == sources) {
            return *known.resolver;
        }
    }
    resolvers_.push_back(
        {settings, sources, std::make_unique<net::Resolver>(loop_, settings, sources)});
    return *resolvers_.back().resolver;
}

std::shared_ptr<auth::HttpConnections> EventLoop::connections_to(const config::AuthHttp& where,
                                                                 const tls::ClientContext* tls)
{
    for (const KnownService& known : services_) {
        if (known.where == where && known.tls == tls) {
            return known.connections;
        }
    }
    services_.push_back({where, tls, std::make_shared<auth::HttpConnections>()});
    return services_.back().connections;
}

std::unique_ptr<auth::Authenticator> EventLoop::make_authenticator(std::size_t server,
                                                                   net::Resolver& resolver)
{
    const config::MailServer& settings = shared_.settings.servers[server];
    if (const auto* http = std::get_if<config::AuthHttp>(&settings.auth)) {
        const tls::ClientContext* const tls = shared_.tls.for_auth_http(server);
        auth::HttpService service{*http,
                                  settings.auth_http_timeout,
                                  settings.auth_http_keepalive,
                                  settings.auth_http_headers,
                                  settings.auth_http_pass_client_cert,
                                  tls};
        return std::make_unique<auth::AuthHttp>(loop_, resolver, connections_to(*http, tls),
                                                std::move(service));
    }
    return std::make_unique<auth::AuthFile>(shared_.users[server], shared_.hash_pool, loop_,
                                            std::get<config::AuthFile>(settings.auth),
                                            settings.proxy_ssl);
}

}  // namespace postern::process
