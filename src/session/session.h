#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "auth/authenticator.h"
#include "config/settings.h"
#include "log/logger.h"
#include "net/resolver.h"
#include "net/stream.h"
#include "net/task.h"

namespace postern::session {

// What the sessions of one server{} share on one event loop. Outlives them.
struct Server {
    const config::MailServer& settings;
    log::Logger logger;
    net::Resolver& resolver;
    auth::Authenticator& authenticator;
};

// A client that has just been accepted.
struct Arrival {
    std::unique_ptr<net::Stream> client;
    SocketAddress address;
    config::Protocol protocol = config::Protocol::imap;
    std::string listen_name;   // the listening address, as log lines have it
    std::uint64_t number = 0;  // of the connection, "*N"
};

// One client, from accept to close. Never throws.
net::Task<> run(Arrival arrival, const Server& server);

}  // namespace postern::session
