// The process: who it is, where it logs.
#include <grp.h>
#include <pwd.h>

#include "build_info.h"
#include "config/directives/error_log.h"
#include "config/directives/groups.h"
#include "config/setters.h"

namespace postern::config {

namespace {

Outcome user(Entry& entry)
{
    if (!entry.options().running_as_root) {
        entry.warn(
            "the \"user\" directive makes sense only if the master process runs with "
            "super-user privileges, ignored");
        return {};
    }
    const std::string& name = entry.argument(0);
    // NGINX: without a group it is the one of the same name, not the user's primary one.
    const std::string& group = entry.arguments().back();
    if (::getpwnam(name.c_str()) == nullptr) {
        return std::unexpected(fmt::format("getpwnam(\"{}\") failed (no such user)", name));
    }
    if (::getgrnam(group.c_str()) == nullptr) {
        return std::unexpected(fmt::format("getgrnam(\"{}\") failed (no such group)", group));
    }
    entry.field(&Settings::user) = name;
    entry.field(&Settings::group) = group;
    return {};
}

Outcome pid(Entry& entry)
{
    if (entry.argument(0).empty()) {
        return entry.invalid("value", "a file's name");
    }
    entry.field(&Settings::pid) = entry.below_prefix(entry.argument(0));
    return {};
}

Outcome load_module(Entry& entry)
{
    entry.warn(fmt::format("nothing to load for \"load_module {}\": Postern has no modules",
                           entry.argument(0)),
               LogLevel::notice);
    return {};
}

constexpr Directive kDirectives[] = {
    {.name = "user",
     .where = kMain,
     .args = {1, 2},
     .set = user,
     .syntax = "USER [GROUP]",
     .default_text = "`nobody` (a build option)",
     .doc = "The identity of the worker, if Postern is started by root. The group is the one with "
            "the user's name unless it is written."},
    {.name = "pid",
     .where = kMain,
     .args = {1, 1},
     .set = pid,
     .initial = build::kPidPath,
     .syntax = "FILE",
     .default_text = "`logs/postern.pid` (a build option)",
     .doc = "Where the number of the master process is kept. Relative to the prefix."},
    {.name = "error_log",
     .where = kMain | kMail | kServer,
     .args = {1, Arity::kAny},
     .set = error_log,
     .syntax = "FILE | stderr | memory:SIZE | syslog:server=ADDRESS[,PARAMETER=VALUE…] [LEVEL]",
     .default_text = "`logs/error.log error` (a build option)",
     .doc =
         "Where lines of this level and more severe ones go: `debug`, `info`, `notice`, `warn`, "
         "`error`, `crit`, `alert` or `emerg`. Several add up; the first one in a block replaces "
         "those of the outer block. Files are relative to the prefix. Parameters of syslog: "
         "`server=`, `facility=`, `tag=`, `nohostname`. `memory:`: the last lines, in memory that "
         "a "
         "debugger can read.",
     .again = Again::adds},
    {.name = "daemon",
     .where = kMain,
     .args = {1, 1},
     .set = flag<&Settings::daemon>,
     .initial = "on",
     .syntax = "on | off",
     .doc = "Whether Postern goes into the background."},
    {.name = "master_process",
     .where = kMain,
     .args = {1, 1},
     .set = flag<&Settings::master_process>,
     .initial = "on",
     .syntax = "on | off",
     .doc = "Whether a master process supervises the worker; `off` is for developers."},
    {.name = "include",
     .where = kAnywhere,
     .args = {1, 1},
     .syntax = "FILE | PATTERN",
     .doc = "Reads these files in its place, sorted; a pattern may match none. Relative to the "
            "configuration's directory.",
     .kind = Kind::include,
     .again = Again::adds},
    {.name = "load_module",
     .where = kMain,
     .args = {1, 1},
     .set = load_module,
     .syntax = "FILE",
     .doc = "Accepted with a notice: there is nothing to load.",
     .again = Again::adds},
};

}  // namespace

std::span<const Directive> main_directives()
{
    return kDirectives;
}

}  // namespace postern::config
