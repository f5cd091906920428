#pragma once

#include <string>

#include "base/address.h"
#include "config/settings.h"
#include "log/session_log.h"
#include "net/resolver.h"
#include "net/task.h"

namespace postern::session {

// The name of an SMTP client, for Client-Host and XCLIENT: what its address's PTR record says, if
// the name has that address. Else "[UNAVAILABLE]" (there is no such name, or "resolver" is off) or
// "[TEMPUNAVAIL]" (nobody knows now), as Postfix has it.
net::Task<std::string> client_host(net::Resolver& resolver, const config::MailServer& settings,
                                   const SocketAddress& client, log::SessionLog& log);

}  // namespace postern::session
