#pragma once

#include <expected>
#include <string>
#include <vector>

#include "config/settings.h"
#include "log/logger.h"

namespace postern::process {

// The logs that a configuration names, open.
struct Logs {
    log::Logger main;
    std::vector<log::Logger> servers;  // one a server{}, in order
};

// Opens them. The error is complete but for its level.
std::expected<Logs, std::string> open_logs(const config::Settings& settings, log::Targets& targets);

// From now on what a library says goes to the first log file, as nobody looks at the terminal;
// unless standard error is a log itself, or there is no file.
void redirect_standard_error(const config::Settings& settings, log::Targets& targets);

}  // namespace postern::process
