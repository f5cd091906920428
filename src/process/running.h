#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "limit/auth_failures.h"
#include "listen/sockets.h"
#include "process/logs.h"
#include "process/privileges.h"
#include "tls/contexts.h"

namespace postern::process {

// A configuration in force, with what it opened.
struct Running {
    std::unique_ptr<config::Settings> settings;  // the parts below point into it
    Logs logs;
    std::unique_ptr<tls::Contexts> tls;
    std::shared_ptr<limit::AuthFailures> auth_failures;  // one for all configurations
    std::vector<listen::Socket> sockets;
    std::optional<Identity> identity;
};

// Opens what a configuration names: logs, identity, certificates and keys, sockets. The error is
// complete but for its level. `old` is what a reload takes over from, or null; of `old_sockets` it
// takes those that it can use.
std::expected<Running, std::string> open_all(config::Settings settings, log::Targets& targets,
                                             const Running* old,
                                             std::vector<listen::Socket>& old_sockets,
                                             listen::Mode mode, const listen::Report& report);

}  // namespace postern::process
