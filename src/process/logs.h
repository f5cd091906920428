#pragma once

#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "config/settings.h"
#include "log/access_log.h"
#include "log/logger.h"

namespace postern::process {

// The logs that a configuration names, open.
struct Logs {
    log::Logger main;
    std::vector<log::Logger> servers;  // one a server{}, in order
    // For each of those, where each of its access logs goes.
    std::vector<std::vector<std::shared_ptr<log::Target>>> access;
};

// Opens them. The error is complete but for its level.
std::expected<Logs, std::string> open_logs(const config::Settings& settings, log::Targets& targets);

// The access logs of each server, whose lines go through `writer`; it and `settings` outlive them.
std::vector<log::AccessLogs> access_logs(const config::Settings& settings, const Logs& logs,
                                         log::LineWriter& writer);

// From now on what a library says goes to the first log file, as nobody looks at the terminal;
// unless standard error is a log itself, or there is no file.
void redirect_standard_error(const config::Settings& settings, log::Targets& targets);

}  // namespace postern::process
