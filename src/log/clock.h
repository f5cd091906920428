// Local time as text. Making it costs more than all the rest of a log line, so each thread keeps
// the text of the second that it wrote last.
#pragma once

#include <string_view>

namespace postern::log {

// "2026/11/23 10:00:00". Valid until this thread asks again.
std::string_view log_time();
// "Nov  3 10:00:00", as RFC 3164 section 4.1.2 wants it for syslog. Valid until this thread asks
// again.
std::string_view syslog_time();

}  // namespace postern::log
