#include "process/sandbox.h"

#include <fmt/format.h>

#include <ctime>

#include "process/sandbox_paths.h"
#include "process/seccomp_filter.h"

namespace postern::process {

std::string SandboxParts::text() const
{
    return fmt::format("no_new_privs{}{}", seccomp ? ", seccomp" : "",
                       landlock_abi > 0 ? fmt::format(", landlock (ABI {})", landlock_abi) : "");
}

std::string SandboxParts::missing() const
{
    const bool landlock = landlock_abi > 0;
    return fmt::format("{}{}{}", seccomp ? "" : "seccomp", seccomp || landlock ? "" : " and ",
                       landlock ? "" : "landlock");
}

// Sanitizers read files and start programs to tell what they have found.
SandboxParts available_sandbox()
{
    if (!seccomp_is_built_in()) {
        return {};
    }
    return {.seccomp = kernel_has_seccomp(), .landlock_abi = landlock_abi()};
}

std::string describe_sandbox(const config::Settings& settings)
{
    if (!settings.sandbox) {
        return "off";
    }
    if (!settings.master_process) {
        return "none, as \"master_process\" is off";
    }
    return available_sandbox().text();
}

std::expected<void, std::string> check_sandbox(const config::Settings& settings,
                                               const listen::Report& report)
{
    if (!settings.sandbox) {
        return {};
    }
    if (!settings.master_process) {
        report(LogLevel::notice, "sandbox: none, as \"master_process\" is off");
        return {};
    }
    const std::string missing = available_sandbox().missing();
    if (missing.empty()) {
        return {};
    }
    // Who builds with sanitizers knows; what -t says stays the same.
    const bool is_built_in = seccomp_is_built_in();
    const std::string text = missing + (is_built_in ? " can't be had from this kernel"
                                                    : " can't be had in a build with sanitizers");
    if (settings.sandbox_is_written) {
        return std::unexpected(fmt::format(
            "\"sandbox on\" is written, but {}; without the directive Postern takes what there is",
            text));
    }
    report(is_built_in ? LogLevel::warn : LogLevel::notice, "sandbox: " + text);
    return {};
}

std::expected<Sandbox, std::string> Sandbox::prepare(const config::Settings& settings,
                                                     const log::Logger& logger)
{
    Sandbox sandbox;
    sandbox.on_ = settings.sandbox;
    if (!settings.sandbox) {
        return sandbox;
    }
    sandbox.parts_ = available_sandbox();
    if (sandbox.parts_.landlock_abi == 0) {
        return sandbox;
    }
    auto rules = LandlockRules::make(sandbox.parts_.landlock_abi);
    if (!rules) {
        return std::unexpected(std::move(rules.error()));
    }
    const ReadablePaths readable = readable_paths(settings);
    for (const std::string& notice : readable.notices) {
        logger.write(LogLevel::notice, notice);
    }
    for (const std::string& path : readable.paths) {
        if (auto allowed = rules->allow_reading(path); !allowed) {
            return std::unexpected(std::move(allowed.error()));
        }
    }
    if (const std::string directory = core_file_directory(settings); !directory.empty()) {
        if (auto allowed = rules->allow_core_files(directory); !allowed) {
            return std::unexpected(std::move(allowed.error()));
        }
    }
    sandbox.landlock_ = std::move(*rules);
    return sandbox;
}

std::expected<void, std::string> Sandbox::apply(const log::Logger& logger) const
{
    if (!on_) {
        logger.write(LogLevel::notice, "sandbox: off");
        return {};
    }
    ::tzset();  // reads a file, now or never
    if (landlock_) {
        if (auto applied = landlock_->apply(); !applied) {
            return applied;
        }
    }
    if (parts_.seccomp) {
        if (auto loaded = load_seccomp_filter(); !loaded) {
            return loaded;
        }
    }
    logger.line(LogLevel::notice, "sandbox: {}", parts_.text());
    return {};
}

}  // namespace postern::process
