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
// "03/Nov/2026:10:00:00 +0100" and "2026-11-03T10:00:00+01:00", as NGINX has them in access logs.
// Valid until this thread asks again.
std::string_view access_time();
std::string_view iso8601_time();

}  // namespace postern::log
