// Servers that share an address and port: the name that a client asks for in TLS picks one.
#pragma once

#include "config/entry.h"

namespace postern::config {

// Once all servers are known. Marks one "listen" of each address as its default server. What no
// client could tell apart is an error: in NGINX's words, as its mail proxy has no such thing.
Checked settle_addresses(Draft& draft);

}  // namespace postern::config
