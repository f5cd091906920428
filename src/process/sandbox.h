// What is left to a worker once it has all that it needs: reading a few files, talking over
// sockets. Two parts of the kernel see to it: Landlock knows files, seccomp knows system calls.
#pragma once

#include <expected>
#include <optional>
#include <string>

#include "config/settings.h"
#include "listen/sockets.h"
#include "log/logger.h"
#include "process/landlock_rules.h"

namespace postern::process {

// What there is of it.
struct SandboxParts {
    bool seccomp = false;
    int landlock_abi = 0;

    std::string text() const;     // "no_new_privs, seccomp, landlock (ABI 7)"
    std::string missing() const;  // "seccomp and landlock"; "" if it is all there
};

// In this build and on this kernel.
SandboxParts available_sandbox();

// What "postern -T" says.
std::string describe_sandbox(const config::Settings& settings);

// Tells what is missing, if the sandbox is on. It is an error where "sandbox on" is written;
// complete but for its level.
std::expected<void, std::string> check_sandbox(const config::Settings& settings,
                                               const listen::Report& report);

// The sandbox of the process that makes it: first what needs rights, then, once they are given up,
// the sandbox itself. A part that this kernel has and that fails is an error (complete but for its
// level): that worker must not serve.
class Sandbox
{
public:
    static std::expected<Sandbox, std::string> prepare(const config::Settings& settings,
                                                       const log::Logger& logger);
    // Before there are threads. Nothing takes it back.
    std::expected<void, std::string> apply(const log::Logger& logger) const;

private:
    bool on_ = false;
    SandboxParts parts_;
    std::optional<LandlockRules> landlock_;
};

}  // namespace postern::process
