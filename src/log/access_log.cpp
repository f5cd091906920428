#include "log/access_log.h"

#include <algorithm>

#include "log/access_line.h"

namespace postern::log {

bool AccessLogs::wants_ends() const
{
    return !std::ranges::all_of(logs_, &AccessLog::at_login);
}

void AccessLogs::write(const SessionRecord& record, bool at_login) const
{
    for (const AccessLog& log : logs_) {
        if (log.at_login == at_login) {
            log.queue->add(access_line(*log.format, record, at_login ? "login" : "end"));
        }
    }
}

}  // namespace postern::log
