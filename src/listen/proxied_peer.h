// Who really calls, if a proxy in front of us says so.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "config/settings.h"
#include "net/deadline.h"
#include "net/proxy_header.h"
#include "net/stream.h"
#include "net/task.h"

namespace postern::listen {

// Reads the PROXY header that a connection begins with, and not a byte more: what follows may be
// TLS. It may come in pieces. The error is for the log; throws net::Disconnected if the peer fails
// or is too slow.
net::Task<std::expected<net::ProxyHeader, std::string>> read_proxy_header(net::Stream& client,
                                                                          net::Deadline& deadline);

}  // namespace postern::listen
