#pragma once

#include <vector>

#include "base/address.h"
#include "config/settings.h"

namespace postern::listen {

// What "allow" and "deny" say of a client: the first rule that matches decides; none: it may come.
bool is_allowed(const std::vector<config::AccessRule>& rules, const SocketAddress& client);

// Is it one of these clients?
bool is_among(const std::vector<config::PeerRule>& peers, const SocketAddress& client);

}  // namespace postern::listen
