#include "process/privileges.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <vector>

#include "process/sandbox.h"
#include "process/worker_limits.h"

namespace postern::process {

namespace {

std::unexpected<std::string> failure(const std::string& call)
{
    return std::unexpected(call + " failed" + log::errno_text(errno));
}

// Keeps only what "env" names, and TZ.
void clean_environment(const config::Settings& settings)
{
    std::vector<std::pair<std::string, std::string>> kept;
    const auto keep = [&](const std::string& name) {
        if (const char* value = std::getenv(name.c_str())) {
            kept.emplace_back(name, value);
        }
    };
    keep("TZ");
    for (const auto& [name, value] : settings.environment) {
        if (value) {
            kept.emplace_back(name, *value);
        } else {
            keep(name);
        }
    }
    clearenv();
    for (const auto& [name, value] : kept) {
        setenv(name.c_str(), value.c_str(), 1);
    }
}

}  // namespace

std::expected<std::optional<Identity>, std::string> worker_identity(
    const config::Settings& settings)
{
    if (geteuid() != 0 || settings.user.empty()) {
        return std::nullopt;
    }
    errno = 0;
    const passwd* user = getpwnam(settings.user.c_str());
    if (user == nullptr) {
        return std::unexpected(fmt::format("getpwnam(\"{}\") failed{}", settings.user,
                                           errno == 0 ? "" : log::errno_text(errno)));
    }
    Identity identity{user->pw_uid, user->pw_gid, settings.user};
    if (!settings.group.empty()) {
        errno = 0;
        const group* found = getgrnam(settings.group.c_str());
        if (found == nullptr) {
            return std::unexpected(fmt::format("getgrnam(\"{}\") failed{}", settings.group,
                                               errno == 0 ? "" : log::errno_text(errno)));
        }
        identity.gid = found->gr_gid;
    }
    return identity;
}

std::expected<void, std::string> become_worker(const config::Settings& settings,
                                               const std::optional<Identity>& identity,
                                               const log::Logger& logger)
{
    auto sandbox = Sandbox::prepare(settings, logger);
    if (!sandbox) {
        return std::unexpected(std::move(sandbox.error()));
    }
    clean_environment(settings);
    apply_limits(settings, logger);
    if (identity) {
        if (setgid(identity->gid) != 0) {
            return failure(fmt::format("setgid({})", identity->gid));
        }
        if (initgroups(identity->name.c_str(), identity->gid) != 0) {
            return failure(fmt::format("initgroups({}, {})", identity->name, identity->gid));
        }
        if (setuid(identity->uid) != 0) {
            return failure(fmt::format("setuid({})", identity->uid));
        }
    }
    // Nothing that a worker starts may gain rights, and no other process of its user may read its
    // memory: passwords pass through it. Whoever asks for core files wants them written all the
    // same.
    const bool wants_core = settings.worker_rlimit_core.value_or(0) > 0;
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_DUMPABLE, wants_core ? 1 : 0, 0, 0, 0);
    // A worker whose master was killed takes no new sessions, so that a new master can start.
    prctl(PR_SET_PDEATHSIG, SIGQUIT, 0, 0, 0);
    if (!settings.working_directory.empty() && chdir(settings.working_directory.c_str()) != 0) {
        return failure(fmt::format("chdir(\"{}\")", settings.working_directory));
    }
    return sandbox->apply(logger);
}

}  // namespace postern::process
