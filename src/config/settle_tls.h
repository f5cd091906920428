// What a server's TLS directives say together.
#pragma once

#include <optional>
#include <string_view>

#include "config/entry.h"

namespace postern::config {

// The directive that wants TLS with clients, for messages: NGINX names the last one.
struct TlsCause {
    std::string_view directive;
    Location where;
};

// Nothing: the server has no TLS.
std::optional<TlsCause> cause_of_tls(const MailServer& server);

// At the end of a server block: certificates get their keys, and what can't work is an error. As in
// NGINX, what ssl_* says is only looked at if the server has TLS.
Checked settle_tls(ServerDraft& server, Draft& draft);

}  // namespace postern::config
