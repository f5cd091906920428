// What "worker_priority", "worker_rlimit_*" and "worker_cpu_affinity" ask of the system. NGINX:
// what the system refuses is an alert in the log, and the worker does without.
#pragma once

#include <optional>

#include "config/settings.h"
#include "log/logger.h"

namespace postern::process {

// For this process, while it still has the rights of the one that started it, and before it has
// threads.
void apply_limits(const config::Settings& settings, const log::Logger& logger);

// The processors of an event loop, counted from 0; nothing: any.
std::optional<config::CpuMask> cpus_of_loop(const config::CpuAffinity& affinity, unsigned loop);

// For the calling thread, which runs that event loop.
void bind_event_loop(const config::Settings& settings, unsigned loop, const log::Logger& logger);

}  // namespace postern::process
