#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "process/heartbeat.h"
#include "process/log_handover.h"
#include "process/logs.h"

namespace postern::process {

struct Worker {
    pid_t pid = 0;
    bool leaving = false;  // told to quit: it is not started anew
    std::chrono::steady_clock::time_point started;
    std::unique_ptr<Heartbeat> heartbeat;
    Logs logs;                 // a reload may drop files that this worker goes on writing to
    LogSender log_sender;      // in the master
    LogReceiver log_receiver;  // in the worker
};

// The worker processes of a master: the one that serves, and those that let the last sessions of
// older configurations end.
class Workers
{
public:
    enum class Fork : unsigned char { parent, child, failed };
    // It writes to `logs`; so is a failure. The child knows no other worker.
    Fork start(const Logs& logs);
    // The worker of this process, after Fork::child.
    const Worker& self() const { return workers_.back(); }

    void signal(int number);
    // Opens all log files anew, in all workers too.
    void reopen_logs(log::Targets& targets, const log::Logger& logger);
    // Forgets one that has ended; nothing if it was none of ours.
    std::optional<Worker> remove(pid_t pid);
    bool empty() const { return workers_.empty(); }
    // Have the event loops of the one that serves gone on since this was asked last? True also if
    // there is none.
    bool are_alive() const;

private:
    std::vector<Worker> workers_;
};

}  // namespace postern::process
