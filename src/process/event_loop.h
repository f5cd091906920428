#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "auth/auth_file.h"
#include "auth/auth_http.h"
#include "config/settings.h"
#include "limit/admission.h"
#include "listen/listener.h"
#include "listen/sockets.h"
#include "net/loop.h"
#include "net/resolver.h"
#include "process/logs.h"
#include "session/guesses.h"
#include "session/session.h"
#include "tls/contexts.h"

namespace postern::process {

// What all event loops of a worker share, and hold for as long as it runs.
struct Shared {
    const config::Settings& settings;
    const Logs& logs;
    const tls::Contexts& tls;
    // Closed when no loop accepts any more.
    std::vector<listen::Socket>& sockets;
    auth::HashPool& hash_pool;
    // One a server{} with "auth_file", else null; servers with the same file share one.
    std::vector<std::shared_ptr<auth::UsersFile>> users;
    limit::Admission admission;
    limit::AuthFailures* auth_failures = nullptr;
    std::vector<log::AccessLogs> access_logs;  // one a server{}; empty: there are none
    bool has_access_logs = false;              // any of them
    std::atomic<unsigned> accepting_loops{0};
    std::atomic<std::uint64_t> connections{0};  // the last connection's number
};

// One event loop with all that its sessions share, run by a thread of its own.
class EventLoop
{
public:
    explicit EventLoop(Shared& shared);

    // Accepts and serves until told to stop, or until the last session ends after `drain`.
    void run() { loop_.run(); }
    // All from any thread. Drain: accept no more. Both others tell clients that have not logged in
    // yet; `end_sessions` also ends all other sessions in good order, with their log lines.
    void drain();
    void stop();
    void end_sessions();
    void post(std::move_only_function<void()> work) { loop_.post(std::move(work)); }
    // On its own thread: how many there are.
    std::size_t sessions() const { return sessions_; }

private:
    void accept(const listen::Socket& socket, Descriptor descriptor, const SocketAddress& client);
    void leave();
    net::Resolver& resolver_for(const config::Resolver& settings, net::Resolver::Sources sources);
    std::unique_ptr<auth::Authenticator> make_authenticator(std::size_t server,
                                                            net::Resolver& resolver);
    std::shared_ptr<auth::HttpConnections> connections_to(const config::AuthHttp& where,
                                                          const tls::ClientContext* tls);

    Shared& shared_;
    net::Loop loop_;
    struct KnownResolver {
        config::Resolver settings;
        net::Resolver::Sources sources;
        std::unique_ptr<net::Resolver> resolver;
    };
    std::vector<KnownResolver> resolvers_;
    struct KnownService {
        config::AuthHttp where;
        const tls::ClientContext* tls;
        std::shared_ptr<auth::HttpConnections> connections;
    };
    std::vector<KnownService> services_;
    std::vector<std::unique_ptr<auth::Authenticator>> authenticators_;
    std::vector<session::Server> servers_;
    std::vector<std::unique_ptr<listen::Listener>> listeners_;
    session::Newcomers newcomers_;
    session::HeldAnswers held_answers_;
    std::size_t sessions_ = 0;
    bool draining_ = false;
};

}  // namespace postern::process
