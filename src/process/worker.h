#pragma once

#include <optional>
#include <vector>

#include "config/settings.h"
#include "listen/sockets.h"
#include "process/logs.h"
#include "process/privileges.h"
#include "tls/contexts.h"

namespace postern::process {

// Exit status of a worker that could not start: the master does not try again.
inline constexpr int kWorkerCannotStart = 2;

// Runs the event loops in this process until a signal ends it: TERM or INT at once, QUIT when the
// last session is over (or "worker_shutdown_timeout" has passed); USR1 reopens the logs. The caller
// has blocked these signals. Returns the exit status.
int run_worker(const config::Settings& settings, const Logs& logs, log::Targets& targets,
               const tls::Contexts& tls, std::vector<listen::Socket>& sockets);

}  // namespace postern::process
