// A line of an access log: a format with what a session has to say. Pure, but for the time and the
// names of process and host.
#pragma once

#include <string>
#include <string_view>

#include "base/log_format.h"
#include "log/session_record.h"

namespace postern::log {

// `event` is "login" or "end". With its line feed; nothing in it begins another line.
std::string access_line(const LogFormat& format, const SessionRecord& record,
                        std::string_view event);

}  // namespace postern::log
