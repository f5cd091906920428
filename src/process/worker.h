#pragma once

#include <chrono>
#include <vector>

#include "config/settings.h"
#include "limit/auth_failures.h"
#include "listen/sockets.h"
#include "process/heartbeat.h"
#include "process/log_handover.h"
#include "process/logs.h"
#include "tls/contexts.h"

namespace postern::process {

// Exit status of a worker that could not start: the master does not try again.
inline constexpr int kWorkerCannotStart = 2;

struct WorkerTask {
    const config::Settings& settings;
    const Logs& logs;
    log::Targets& targets;
    const tls::Contexts& tls;
    std::vector<listen::Socket>& sockets;
    limit::AuthFailures& auth_failures;
    // Beaten that often while all event loops go on; null: nobody wants to know.
    Heartbeat* heartbeat = nullptr;
    std::chrono::microseconds heartbeat_interval{};
    // Where log files that were opened anew come from; null: this process opens them.
    const LogReceiver* log_receiver = nullptr;
};

// Runs the event loops in this process until a signal ends it: TERM or INT at once, QUIT when the
// last session is over (or "worker_shutdown_timeout" has passed); USR1 reopens the logs. The caller
// has blocked these signals. Returns the exit status.
int run_worker(const WorkerTask& task);

}  // namespace postern::process
