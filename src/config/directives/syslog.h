// "syslog:server=...", where log lines may go.
#pragma once

#include <string_view>

#include "base/log_target.h"
#include "config/directive.h"

namespace postern::config {

bool is_syslog(std::string_view text);

// `text` is one. "severity=" is put into `severity`, if lines have none of their own.
Outcome read_syslog(LogTarget& target, std::string_view text, LogLevel* severity = nullptr);

}  // namespace postern::config
