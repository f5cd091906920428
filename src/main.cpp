// The command line: makes the parts and joins them.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string>

#include "auth/passwd_command.h"
#include "build_info.h"
#include "config/load.h"
#include "process/command_line.h"
#include "process/inheritance.h"
#include "process/master.h"
#include "process/pid_file.h"
#include "process/program.h"
#include "process/sandbox.h"
#include "process/service_manager.h"
#include "process/signals.h"

namespace {

using namespace postern;

void say(std::string_view text)
{
    std::fwrite(text.data(), 1, text.size(), stderr);
}

void say(LogLevel level, std::string_view text)
{
    say(fmt::format("postern: [{}] {}\n", to_string(level), text));
}

// NGINX: until all is started, what matters is shown as well as logged.
void announce(const log::Logger& early, LogLevel level, std::string_view text)
{
    if (level <= LogLevel::warn) {
        say(level, text);
    }
    early.write(level, text);
}

int fail(const log::Logger& early, std::string_view text)
{
    announce(early, LogLevel::emerg, text);
    return 1;
}

std::string below(const std::string& directory, const std::string& path)
{
    return (std::filesystem::path(directory) / path).lexically_normal().string();
}

// What the command line and the build say about files, as absolute paths.
config::Options make_options(const process::CommandLine& command_line)
{
    config::Options options;
    const std::string here = std::filesystem::current_path().string();
    const std::string prefix =
        command_line.prefix.empty() ? std::string(build::kPrefix) : command_line.prefix;
    options.prefix = below(here, prefix + "/");
    options.conf_path = below(
        options.prefix, command_line.conf_path.empty() ? build::kConfPath : command_line.conf_path);
    options.global_directives = command_line.global_directives;
    options.error_log_override = command_line.error_log_path;
    options.running_as_root = geteuid() == 0;
    return options;
}

// The log for what happens before the configuration's own logs are open.
log::Logger open_early_log(const config::Options& options, log::Targets& targets)
{
    LogTarget description;
    const std::string name =
        options.error_log_override.empty() ? build::kErrorLogPath : options.error_log_override;
    description.level = LogLevel::notice;
    if (name == "stderr") {
        return {};  // all is said there anyway
    }
    description.path = below(options.prefix, name);
    std::string error;
    auto target = targets.open(description, error);
    if (!target) {
        say(LogLevel::alert, "could not open error log file: " + error);
        return {};
    }
    return log::Logger({{std::move(target), description.level}});
}

int send_signal(const config::Settings& settings, int number)
{
    const auto pid = process::PidFile::read(settings.pid);
    if (!pid) {
        say(LogLevel::error, pid.error());
        return 1;
    }
    if (kill(*pid, number) != 0) {
        say(LogLevel::alert,
            fmt::format("kill({}, {}) failed{}", *pid, number, log::errno_text(errno)));
        return 1;
    }
    return 0;
}

void dump(const std::vector<config::ConfigFile>& files)
{
    for (const config::ConfigFile& file : files) {
        const std::string text =
            fmt::format("# configuration file {}:\n{}\n", file.path, file.content);
        std::fwrite(text.data(), 1, text.size(), stdout);
    }
    std::fflush(stdout);
}

// Becomes a daemon; only the child returns, with what to write to when it serves: until then its
// parent waits, so that whoever has started us finds the pid file.
int daemonize()
{
    int pipe[2] = {-1, -1};
    if (pipe2(pipe, O_CLOEXEC) != 0) {
        pipe[0] = pipe[1] = -1;
    }
    const pid_t pid = fork();
    if (pid != 0) {
        close(pipe[1]);
        char byte = 0;
        const bool serves = pid > 0 && (pipe[0] < 0 || read(pipe[0], &byte, 1) == 1);
        _exit(serves ? 0 : 1);
    }
    close(pipe[0]);
    setsid();
    umask(0);
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    return pipe[1];
}

void say_that_it_serves(int pipe)
{
    if (pipe >= 0) {
        [[maybe_unused]] const auto written = write(pipe, "1", 1);
        close(pipe);
    }
}

int serve(const config::Options& options, process::Running running, log::Targets& targets,
          const process::Program& program, pid_t older)
{
    process::block_signals();
    // A successor is a daemon already, if its predecessor is one.
    const int pipe = running.settings->daemon && older == 0 ? daemonize() : -1;
    process::PidFile pid_file(running.settings->pid);
    const pid_t self = getpid();
    if (const auto written = pid_file.write(self); !written) {
        return fail(running.logs.main, written.error());
    }
    process::redirect_standard_error(*running.settings, targets);
    say_that_it_serves(pipe);
    const process::ServiceManager service_manager;
    process::Master master(options, std::move(running),
                           {.program = program,
                            .pid_file = pid_file,
                            .service_manager = service_manager,
                            .targets = targets,
                            .older = older});
    const int status = master.run();
    if (getpid() != self) {
        _exit(status);  // a worker: sessions that TERM has cut off are not unwound
    }
    pid_file.remove();
    return status;
}

int run(const process::CommandLine& command_line, const process::Program& program)
{
    const config::Options options = make_options(command_line);
    log::Targets targets;
    const log::Logger early = open_early_log(options, targets);
    auto loaded = config::load(options);
    if (!loaded) {
        fail(early, loaded.error().text);
        if (command_line.test) {
            say(fmt::format("postern: configuration file {} test failed\n", options.conf_path));
        }
        return 1;
    }
    if (command_line.signal != 0) {
        return send_signal(loaded->settings, command_line.signal);
    }
    for (const config::Warning& warning : loaded->warnings) {
        announce(early, warning.level, warning.text);
    }
    for (const config::Warning& warning : config::missing_users(loaded->settings)) {
        announce(early, warning.level, warning.text);
    }
    if (command_line.test && !command_line.quiet) {
        say(fmt::format("postern: the configuration file {} syntax is ok\n", options.conf_path));
    }
    process::Inheritance inheritance;
    if (!command_line.test) {
        auto taken = process::take_inheritance();
        if (!taken) {
            return fail(early, taken.error());
        }
        inheritance = std::move(*taken);
    }
    const listen::Mode mode = command_line.test ? listen::Mode::test : listen::Mode::serve;
    const auto report = [&](LogLevel level, const std::string& text) {
        announce(early, level, text);
    };
    auto running = process::open_all(std::move(loaded->settings), targets, nullptr,
                                     inheritance.sockets, mode, report);
    if (!running) {
        fail(early, running.error());
        if (command_line.test) {
            say(fmt::format("postern: configuration file {} test failed\n", options.conf_path));
        }
        return 1;
    }
    for (const listen::Socket& unwanted : inheritance.sockets) {
        announce(running->logs.main, unwanted.is_activated() ? LogLevel::warn : LogLevel::notice,
                 fmt::format("inherited socket {} has no \"listen\" in the configuration, closed",
                             unwanted.address().text()));
    }
    inheritance.sockets.clear();
    if (!command_line.test) {
        return serve(options, std::move(*running), targets, program, inheritance.older);
    }
    if (!command_line.quiet) {
        say(fmt::format("postern: configuration file {} test is successful\n", options.conf_path));
    }
    if (command_line.dump) {
        if (!command_line.quiet) {
            fmt::print("# sandbox: {}\n", process::describe_sandbox(*running->settings));
        }
        dump(loaded->files);
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv)
{
    if (argc > 1 && std::string_view(argv[1]) == "passwd") {
        return auth::passwd_command({argv + 2, static_cast<std::size_t>(argc - 2)});
    }
    const auto command_line =
        process::parse_command_line({argv + 1, static_cast<std::size_t>(argc > 0 ? argc - 1 : 0)});
    if (!command_line) {
        say("postern: " + command_line.error() + "\n");
        return 1;
    }
    if (command_line->show_version) {
        say(process::version_text(command_line->show_configure));
        if (command_line->show_help) {
            say(process::help_text());
        }
        return 0;
    }
    const process::Program program(argc, argv);
    process::keep_title_space(argc, argv);
    return run(*command_line, program);
}
