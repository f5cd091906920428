// What a configuration's reader has to say to the administrator.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "base/log_target.h"
#include "config/settings.h"

namespace postern::config {

// Why a configuration can't be used: what NGINX prints after "[emerg] ", "MESSAGE in FILE:LINE".
// What would be right stands in parentheses behind NGINX's words.
struct Error {
    std::string text;

    static Error at(const Location& where, std::string_view message);
};

// Worth telling, but no reason to stop.
struct Warning {
    LogLevel level = LogLevel::warn;
    std::string text;
};

// Adds a warning, unless it is there already: several servers may inherit what it is about.
void warn_once(std::vector<Warning>& warnings, std::string text);

// A file's name for messages; of "data:..." no more than that, as a key may follow.
std::string_view shown_name(std::string_view name);

// The result of a step that yields nothing but a possible error.
using Checked = std::expected<void, Error>;

// " (2: No such file or directory)", as NGINX appends it.
std::string system_error(int code);

}  // namespace postern::config
