#pragma once

#include "auth/authenticator.h"
#include "backend/connection.h"
#include "config/settings.h"

namespace postern::session {

// The connection that a user's mailbox wants: what is said of the user counts for more than what
// the server's "proxy_ssl" and its kin say.
backend::Target backend_target(const config::MailServer& settings, const auth::Mailbox& mailbox);

}  // namespace postern::session
