// What a server's TLS directives say together.
#pragma once

#include "config/entry.h"

namespace postern::config {

// At the end of a server block: certificates get their keys, and what can't work is an error. As in
// NGINX, what ssl_* says is only looked at if the server has TLS.
Checked settle_tls(ServerDraft& server, Draft& draft);

}  // namespace postern::config
