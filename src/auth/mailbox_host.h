#pragma once

#include <string_view>

namespace postern::auth {

// May a mailbox be there? An IPv4 address, an IPv6 one without brackets, "unix:" and an absolute
// path, or a name to look up. What ends in a number but is no address, "10.0.0" or "1.2.3.256", is
// no name either.
bool is_mailbox_host(std::string_view text);

}  // namespace postern::auth
