// XCLIENT, by which an SMTP server behind us is told who the client is: not of an RFC, but of
// Postfix's XCLIENT_README. Pure: values in, text out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"

namespace postern::smtp {

// What there is to tell.
struct ClientFacts {
    SocketAddress address;   // of the client
    SocketAddress listener;  // where it came to; empty: not known
    std::string login;       // empty: not told
    std::string host;        // its name, "[UNAVAILABLE]" or "[TEMPUNAVAIL]"
    std::string helo;        // what it calls itself; empty: it has not said
    bool extended = false;   // it has said EHLO
};

// The commands, each with CRLF; to be sent in this order. `offered`: the attributes that the server
// lists in its EHLO reply, nothing if it does not speak of XCLIENT there. Then, and if it lists
// none, it is told what NGINX tells: ADDR, LOGIN and NAME. Any bytes may be in the facts.
std::vector<std::string> xclient_commands(const ClientFacts& facts,
                                          std::optional<std::string_view> offered);

// RFC 3461 section 4, but all bytes beyond printable ASCII are encoded, the space too.
std::string xtext(std::string_view text);

}  // namespace postern::smtp
