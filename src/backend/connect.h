#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "log/session_log.h"
#include "net/resolver.h"
#include "net/stream.h"
#include "net/task.h"

namespace postern::backend {

// Connects to the mailbox server: an IP address, a name (its addresses are tried in turn) or
// "unix:PATH". Nothing if none can be reached, which is logged; throws nothing.
net::Task<std::unique_ptr<net::Stream>> connect(net::Resolver& resolver, std::string_view host,
                                                std::uint16_t port, net::Deadline& deadline,
                                                log::SessionLog& log);

}  // namespace postern::backend
