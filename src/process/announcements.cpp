#include "process/announcements.h"

#include <sys/resource.h>
#include <sys/utsname.h>

#include <csignal>

#include "build_info.h"

namespace postern::process {

namespace {

// What follows the name of a signal in the log.
std::string_view consequence(int number)
{
    switch (number) {
    case SIGHUP:
        return ", reconfiguring";
    case SIGUSR1:
        return ", reopening logs";
    case SIGUSR2:
        return ", changing binary";
    case SIGWINCH:
        return ", gracefully shutting down worker processes";
    case SIGQUIT:
        return ", shutting down";
    case SIGTERM:
    case SIGINT:
        return ", exiting";
    default:
        return ", ignored";
    }
}

}  // namespace

void announce_start(const log::Logger& logger)
{
    logger.write(LogLevel::notice, "using the \"epoll\" event method");
    logger.line(LogLevel::notice, "postern/{}", build::kVersion);
    logger.line(LogLevel::notice, "built by {}", build::kCompiler);
    utsname system{};
    if (uname(&system) == 0) {
        logger.line(LogLevel::notice, "OS: {} {}", system.sysname, system.release);
    }
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        logger.line(LogLevel::notice, "getrlimit(RLIMIT_NOFILE): {}:{}", limit.rlim_cur,
                    limit.rlim_max);
    }
}

void announce_signal(const log::Logger& logger, const Signal& signal)
{
    const std::string from =
        signal.sender != 0 ? fmt::format(" from {}", signal.sender) : std::string();
    logger.line(LogLevel::notice, "signal {} ({}) received{}{}", signal.number,
                signal_name(signal.number), from, consequence(signal.number));
}

}  // namespace postern::process
