// Where log lines go and which: what "error_log" says, shared by config/ (reads it) and log/ (opens
// it).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace postern {

// Severities of syslog and NGINX, from the most severe down.
enum class LogLevel : unsigned char { emerg, alert, crit, error, warn, notice, info, debug };

// "warn" and so on. Case-sensitive, as in NGINX.
std::string_view to_string(LogLevel level);
std::optional<LogLevel> parse_log_level(std::string_view word);

struct LogTarget {
    enum class Kind : unsigned char { file, standard_error, syslog, memory };

    Kind kind = Kind::file;
    LogLevel level = LogLevel::error;  // lines of this level and more severe ones are written
    // file: absolute path. syslog: "host:port" or "unix:PATH". memory: where it was written.
    std::string path;
    std::size_t memory_bytes = 0;
    unsigned char syslog_facility = 23;  // RFC 5424 table 1; 23 is local7
    std::string syslog_tag = "postern";
    bool syslog_nohostname = false;

    bool operator==(const LogTarget&) const = default;
};

}  // namespace postern
