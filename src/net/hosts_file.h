#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "net/loop.h"

namespace postern::net {

// The addresses that the text of /etc/hosts gives a name, in any case; none if it doesn't know it.
std::vector<SocketAddress> addresses_in_hosts(std::string_view text, std::string_view name);

// The system's own file, read anew every few seconds. What it said stays, should it be gone or be
// another file that a worker may not read.
class HostsFile
{
public:
    static constexpr std::chrono::seconds kKept{5};

    HostsFile() { read(); }

    // "localhost", and all names below it, need not be in the file (RFC 6761 section 6.3).
    std::vector<SocketAddress> addresses(std::string_view name, Clock::time_point now);

private:
    void read();

    std::string text_;
    Clock::time_point read_again_;
};

}  // namespace postern::net
