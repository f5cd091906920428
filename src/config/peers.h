// Addresses of peers, as "set_real_ip_from" and "debug_connection" have them: "unix:", an address,
// ADDRESS/BITS or a host name.
#pragma once

#include "config/entry.h"

namespace postern::config {

// What the directive's only argument says; a name stands for all its addresses of today. Warns of
// bits behind a network's prefix. The error is NGINX's.
std::expected<std::vector<PeerRule>, std::string> read_peers(Entry& entry);

}  // namespace postern::config
