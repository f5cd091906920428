#pragma once

#include <sys/types.h>

#include <expected>
#include <string>
#include <vector>

#include "listen/sockets.h"

namespace postern::process {

// Listening sockets that were open before we were started: an older Postern's that this one is to
// replace, or those that a service manager has opened for us (systemd's socket activation).
struct Inheritance {
    std::vector<listen::Socket> sockets;
    // The older Postern, our parent; 0: there is none.
    pid_t older = 0;
};

// The variable in which a Postern tells its successor which sockets it gets: "5;6a;". NGINX's is
// called NGINX.
inline constexpr const char* kSocketsVariable = "POSTERN";
// Behind the number of a socket that a service manager has made.
inline constexpr char kActivatedMark = 'a';

// Takes the sockets, and their numbers out of the environment, so that nobody takes them twice.
// The error is complete but for its level.
std::expected<Inheritance, std::string> take_inheritance();

}  // namespace postern::process
