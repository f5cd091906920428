// What has to hold for a session, whatever its three peers have said.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "config/settings.h"

namespace postern::fuzz {

// What the service says in Auth-Pass: of the login at the mailbox server, and of nothing else.
inline constexpr std::string_view kServicesPassword = "pw-of-the-service";

// One request, with each header of ours once, whatever the client calls itself.
void check_request(std::string_view request);

// The login, as it has to look, and then nothing but what the client has said, once and in order.
void check_commands(config::Protocol protocol, std::string_view heard, std::string_view said);

// With "proxy_ssl starttls": what asks for it, and then nothing that is not TLS.
void check_starttls(config::Protocol protocol, std::string_view heard);

// No password is in the log: neither of these requests, nor of the service. What the peers have
// said elsewhere may be there.
void check_log(std::string_view log, std::span<const std::string> requests, std::string_view said);

}  // namespace postern::fuzz
