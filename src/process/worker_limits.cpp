#include "process/worker_limits.h"

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>

namespace postern::process {

namespace {

using config::CpuMask;

void limit(__rlimit_resource resource, const char* name, std::optional<std::uint64_t> value,
           const log::Logger& logger)
{
    if (!value) {
        return;
    }
    const rlimit wanted{*value, *value};
    if (setrlimit(resource, &wanted) != 0) {
        logger.line(LogLevel::alert, "setrlimit({}, {}) failed{}", name, *value,
                    log::errno_text(errno));
    }
}

}  // namespace

void apply_limits(const config::Settings& settings, const log::Logger& logger)
{
    if (settings.worker_priority != 0 &&
        setpriority(PRIO_PROCESS, 0, settings.worker_priority) != 0) {
        logger.line(LogLevel::alert, "setpriority({}) failed{}", settings.worker_priority,
                    log::errno_text(errno));
    }
    limit(RLIMIT_NOFILE, "RLIMIT_NOFILE", settings.worker_rlimit_nofile, logger);
    limit(RLIMIT_CORE, "RLIMIT_CORE", settings.worker_rlimit_core, logger);
}

std::optional<CpuMask> cpus_of_loop(const config::CpuAffinity& affinity, unsigned loop)
{
    if (affinity.masks.empty()) {
        return std::nullopt;
    }
    const CpuMask& last = affinity.masks.back();
    if (!affinity.automatic) {
        return loop < affinity.masks.size() ? affinity.masks[loop] : last;
    }
    if (last.none()) {
        return std::nullopt;
    }
    std::size_t skipped = loop % last.count();
    for (std::size_t processor = 0;; ++processor) {
        if (last.test(processor) && skipped-- == 0) {
            return CpuMask().set(processor);
        }
    }
}

void bind_event_loop(const config::Settings& settings, unsigned loop, const log::Logger& logger)
{
    const auto cpus = cpus_of_loop(settings.worker_cpu_affinity, loop);
    if (!cpus) {
        return;
    }
    static_assert(CPU_SETSIZE == CpuMask().size());
    cpu_set_t set;
    CPU_ZERO(&set);
    for (std::size_t processor = 0; processor < cpus->size(); ++processor) {
        if (cpus->test(processor)) {
            CPU_SET(processor, &set);
            logger.line(LogLevel::notice, "sched_setaffinity(): using cpu #{}", processor);
        }
    }
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        logger.line(LogLevel::alert, "sched_setaffinity() failed{}", log::errno_text(errno));
    }
}

}  // namespace postern::process
