#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/log_format.h"
#include "log/line_writer.h"
#include "log/session_record.h"

namespace postern::log {

// One "access_log", open.
struct AccessLog {
    std::shared_ptr<const LogFormat> format;
    LineWriter::Queue* queue;
    bool at_login = false;  // else at the end of a session
};

// Those of one server. Safe to use from any thread.
class AccessLogs
{
public:
    explicit AccessLogs(std::vector<AccessLog> logs = {}) : logs_(std::move(logs)) {}

    bool empty() const { return logs_.empty(); }
    // Is there anything to write when sessions end?
    bool wants_ends() const;
    // Throws std::bad_alloc.
    void write_login(const SessionRecord& record) const { write(record, true); }
    void write_end(const SessionRecord& record) const { write(record, false); }

private:
    void write(const SessionRecord& record, bool at_login) const;

    std::vector<AccessLog> logs_;
};

}  // namespace postern::log
