#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "auth/authenticator.h"
#include "config/settings.h"
#include "limit/admission.h"
#include "limit/auth_failures.h"
#include "listen/sockets.h"
#include "log/access_log.h"
#include "log/logger.h"
#include "net/resolver.h"
#include "net/stream.h"
#include "net/task.h"
#include "session/newcomers.h"
#include "tls/client_context.h"

namespace postern::session {

class HeldAnswers;

// What the sessions of one server{} share on one event loop. Outlives them.
struct Server {
    const config::MailServer& settings;
    log::Logger logger;
    net::Resolver& resolver;         // of backends
    net::Resolver& client_resolver;  // of clients' own names
    auth::Authenticator& authenticator;
    const tls::ClientContext* for_backends = nullptr;  // null: no TLS to them
    limit::AuthFailures* failures = nullptr;           // null: they are not counted
    HeldAnswers* held_answers = nullptr;
    const log::AccessLogs* access_logs = nullptr;  // null: there are none
};

// Held by a session for as long as it lives, whichever coroutine runs it; its deleter hears of the
// end.
using Seat = std::unique_ptr<void, void (*)(void*)>;

// A client that has just been accepted.
struct Arrival {
    Seat seat;
    Newcomers& newcomers;  // it belongs to these until it is logged in
    limit::Admission& admission;
    std::unique_ptr<net::Stream> client;
    SocketAddress address;
    const listen::Endpoint& endpoint;  // where it came to
    std::uint64_t number = 0;          // of the connection, "*N"
    bool logs_everything = false;      // "debug_connection"
    bool keeps_record = false;         // for "access_log"
};

// One client, from accept to close. `servers` are all of the configuration: the endpoint names the
// client's, unless it asks for another by name. Never throws. Ends when the client is logged in or
// gone: the relay goes on by itself, in a frame that holds nothing of the login.
net::Task<> run(Arrival arrival, std::span<const Server> servers);

}  // namespace postern::session
