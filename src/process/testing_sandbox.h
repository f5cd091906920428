// For tests: code that runs in a worker, as somebody's would who has taken it over.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <functional>
#include <ostream>

#include "config/testing.h"
#include "process/privileges.h"
#include "process/sandbox.h"

namespace postern::process {

// What came of an attempt: 0 (it worked), an errno value, or the signal that ended the process.
struct Fate {
    int error = 0;
    int signal = 0;

    bool operator==(const Fate&) const = default;
    friend std::ostream& operator<<(std::ostream& out, const Fate& fate)
    {
        return out << "error " << fate.error << ", signal " << fate.signal;
    }
};

inline const Fate kWorks{};
inline const Fate kKilled{.error = 0, .signal = SIGSYS};

inline Fate fails(int error)
{
    return {.error = error, .signal = 0};
}

// 0, or errno if a system call has returned -1.
inline int outcome(long result)
{
    return result < 0 ? errno : 0;
}

class CaptiveTest : public config::ConfigTest
{
protected:
    using Attempt = std::function<int()>;  // returns what `outcome` does

    // In a process of its own.
    static Fate in_child(const Attempt& attempt)
    {
        const pid_t child = ::fork();
        if (child == 0) {
            ::_exit(attempt());
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        return WIFSIGNALED(status) ? Fate{.signal = WTERMSIG(status)}
                                   : Fate{.error = WEXITSTATUS(status)};
    }

    static constexpr int kNoWorker = 254;

    // In a worker of this configuration. Its log goes to `logger`.
    static Fate in_worker(const config::Settings& settings, const std::optional<Identity>& identity,
                          const Attempt& attempt, const log::Logger& logger = {})
    {
        return in_child(
            [&] { return become_worker(settings, identity, logger) ? attempt() : kNoWorker; });
    }
};

}  // namespace postern::process
