#pragma once

#include "auth/authenticator.h"
#include "backend/connection.h"
#include "config/settings.h"
#include "net/stream.h"

namespace postern::session {

// The connection that a user's mailbox wants: what is said of the user counts for more than what
// the server's "proxy_ssl" and its kin say.
backend::Target backend_target(const config::MailServer& settings, const auth::Mailbox& mailbox);

// What "proxy_protocol" wants a mailbox server to be told of the client before all else; mostly
// nothing.
std::string header_for_backend(const config::MailServer& settings, const SocketAddress& client,
                               const net::Stream& stream);

}  // namespace postern::session
