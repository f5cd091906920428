#pragma once

#include <sys/types.h>

#include <expected>
#include <optional>
#include <string>

#include "config/settings.h"
#include "log/logger.h"

namespace postern::process {

struct Identity {
    uid_t uid = 0;
    gid_t gid = 0;
    std::string name;
};

// Whom the worker becomes: nothing if Postern was not started as root and can't become anybody. The
// error is complete but for its level.
std::expected<std::optional<Identity>, std::string> worker_identity(
    const config::Settings& settings);

// Makes this process a worker: limits, identity, working directory, environment, sandbox. The error
// is complete but for its level.
std::expected<void, std::string> become_worker(const config::Settings& settings,
                                               const std::optional<Identity>& identity,
                                               const log::Logger& logger);

}  // namespace postern::process
