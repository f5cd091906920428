#include "process/master.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "build_info.h"
#include "process/signals.h"
#include "process/worker.h"
#include "process/worker_limits.h"

namespace postern::process {

namespace {

// Workers that are told to end at once and don't are killed after this.
constexpr std::chrono::milliseconds kStopLimit{1500};
// A worker that dies sooner than this is not started anew at once, as it would die again.
constexpr std::chrono::seconds kShortLife{1};

using Clock = std::chrono::steady_clock;

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

}  // namespace

std::expected<Running, std::string> open_all(config::Settings settings, log::Targets& targets,
                                             const tls::Contexts* old_tls,
                                             std::vector<listen::Socket>& old_sockets,
                                             listen::Mode mode, const listen::Report& report)
{
    Running running;
    running.settings = std::make_unique<config::Settings>(std::move(settings));
    auto identity = worker_identity(*running.settings);
    if (!identity) {
        return std::unexpected(std::move(identity.error()));
    }
    running.identity = std::move(*identity);
    auto logs = open_logs(*running.settings, targets);
    if (!logs) {
        return std::unexpected(std::move(logs.error()));
    }
    running.logs = std::move(*logs);
    if (running.identity) {
        targets.give_to(running.identity->uid, running.identity->gid);
    }
    std::vector<config::Warning> warnings;
    auto contexts = tls::Contexts::load(*running.settings, old_tls, warnings);
    for (const config::Warning& warning : warnings) {
        report(warning.level, warning.text);
    }
    if (!contexts) {
        return std::unexpected(std::move(contexts.error().text));
    }
    running.tls = std::move(*contexts);
    auto sockets = listen::open_sockets(*running.settings, old_sockets, mode, report);
    if (!sockets) {
        return std::unexpected(std::move(sockets.error()));
    }
    running.sockets = std::move(*sockets);
    for (listen::Socket& socket : running.sockets) {
        for (listen::Endpoint& endpoint : socket.endpoints) {
            endpoint.acceptor = running.tls->acceptor(endpoint.address);
        }
    }
    return running;
}

Master::Master(config::Options options, Running running, log::Targets& targets)
    : options_(std::move(options)), running_(std::move(running)), targets_(targets)
{
}

int Master::run()
{
    announce_start(running_.logs.main);
    if (!running_.settings->master_process) {
        return work();
    }
    set_title("master process");
    running_.logs.main.write(LogLevel::notice, "start worker processes");
    if (start_worker()) {
        return work();
    }
    for (;;) {
        const Signal signal = wait_for_signal(wake_);
        const log::Logger& logger = running_.logs.main;
        switch (signal.number) {
        case SIGCHLD:
            if (reap()) {
                return work();
            }
            break;
        case SIGHUP:
            announce(signal.number, signal.sender);
            if (!ending_) {
                if (reload()) {
                    restart_ = false;
                    if (start_worker()) {
                        return work();
                    }
                }
            }
            break;
        case SIGUSR1:
            announce(signal.number, signal.sender);
            for (const std::string& problem : targets_.reopen()) {
                logger.write(LogLevel::emerg, problem);
            }
            signal_workers(SIGUSR1);
            break;
        case SIGQUIT:
            announce(signal.number, signal.sender);
            if (!ending_) {
                wake_.reset();  // no worker is started any more, and none is killed
            }
            ending_ = true;
            running_.sockets.clear();
            signal_workers(SIGQUIT);
            break;
        case SIGTERM:
        case SIGINT:
            announce(signal.number, signal.sender);
            ending_ = true;
            running_.sockets.clear();
            signal_workers(SIGTERM);
            wake_ = Clock::now() + kStopLimit;
            break;
        case kTimedOut:
            wake_.reset();
            if (ending_) {
                signal_workers(SIGKILL);
            } else if (restart_) {
                restart_ = false;
                if (start_worker()) {
                    return work();
                }
            }
            break;
        default:  // USR2 and WINCH belong to an upgrade, which is not there yet
            announce(signal.number, signal.sender);
        }
        if (ending_ && workers_.empty()) {
            running_.logs.main.write(LogLevel::notice, "exit");
            return 0;
        }
    }
}

bool Master::start_worker()
{
    const pid_t pid = fork();
    if (pid < 0) {
        running_.logs.main.line(LogLevel::alert,
                                "fork() failed while spawning \"worker process\"{}",
                                log::errno_text(errno));
        restart_ = true;
        wake_ = Clock::now() + kShortLife;
        return false;
    }
    if (pid == 0) {
        return true;
    }
    running_.logs.main.line(LogLevel::notice, "start worker process {}", pid);
    workers_.push_back({pid, false, Clock::now()});
    return false;
}

// In the worker's process, or with "master_process off".
int Master::work()
{
    set_title(running_.settings->master_process ? "worker process" : "single process");
    if (running_.settings->master_process) {
        apply_limits(*running_.settings, running_.logs.main);
        const auto done = become_worker(*running_.settings, running_.identity);
        if (!done) {
            running_.logs.main.write(LogLevel::emerg, done.error());
            return kWorkerCannotStart;
        }
    }
    return run_worker(*running_.settings, running_.logs, targets_, *running_.tls, running_.sockets);
}

bool Master::reap()
{
    const log::Logger& logger = running_.logs.main;
    int status = 0;
    for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0; pid = waitpid(-1, &status, WNOHANG)) {
        const auto worker = std::ranges::find(workers_, pid, &Worker::pid);
        if (WIFSIGNALED(status)) {
            logger.line(LogLevel::alert, "worker process {} exited on signal {}{}", pid,
                        WTERMSIG(status), WCOREDUMP(status) ? " (core dumped)" : "");
        } else {
            logger.line(LogLevel::notice, "worker process {} exited with code {}", pid,
                        WEXITSTATUS(status));
        }
        if (worker == workers_.end()) {
            continue;
        }
        const Worker gone = *worker;
        workers_.erase(worker);
        if (WIFEXITED(status) && WEXITSTATUS(status) == kWorkerCannotStart) {
            logger.line(LogLevel::alert,
                        "worker process {} exited with fatal code {} and cannot be respawned", pid,
                        kWorkerCannotStart);
            ending_ = ending_ || workers_.empty();
            continue;
        }
        if (ending_ || gone.leaving) {
            continue;
        }
        if (Clock::now() - gone.started < kShortLife) {
            restart_ = true;
            wake_ = Clock::now() + kShortLife;
        } else if (start_worker()) {
            return true;
        }
    }
    return false;
}

// All is opened before anything that runs is touched: a configuration that is wrong changes
// nothing.
bool Master::reload()
{
    running_.logs.main.write(LogLevel::notice, "reconfiguring");
    auto loaded = config::load(options_);
    if (!loaded) {
        running_.logs.main.write(LogLevel::emerg, loaded.error().text);
        return false;
    }
    for (const config::Warning& warning : loaded->warnings) {
        running_.logs.main.write(warning.level, warning.text);
    }
    // What an old socket gives is only borrowed until all is well.
    std::vector<listen::Socket> borrowed;
    for (const listen::Socket& socket : running_.sockets) {
        const int copy = fcntl(socket.descriptor(), F_DUPFD_CLOEXEC, 0);
        if (copy < 0) {
            running_.logs.main.line(LogLevel::emerg, "fcntl(F_DUPFD_CLOEXEC) failed{}",
                                    log::errno_text(errno));
            return false;
        }
        borrowed.emplace_back(copy, socket.address());
    }
    const auto report = [this](LogLevel level, const std::string& text) {
        running_.logs.main.write(level, text);
    };
    auto next = open_all(std::move(loaded->settings), targets_, running_.tls.get(), borrowed,
                         listen::Mode::serve, report);
    if (!next) {
        running_.logs.main.write(LogLevel::emerg, next.error());
        return false;
    }
    for (const listen::Socket& unwanted : borrowed) {
        if (unwanted.address().is_unix()) {
            unlink(std::string(unwanted.address().path()).c_str());
        }
    }
    next->settings->pid = running_.settings->pid;  // NGINX: a pid file has its name for life
    running_ = std::move(*next);
    signal_workers(SIGQUIT);
    return true;
}

void Master::signal_workers(int number)
{
    for (Worker& worker : workers_) {
        kill(worker.pid, number);
        worker.leaving = worker.leaving || number != SIGUSR1;
    }
}

void Master::announce(int number, pid_t sender) const
{
    const char* what = number == SIGHUP                        ? ", reconfiguring"
                       : number == SIGUSR1                     ? ", reopening logs"
                       : number == SIGQUIT                     ? ", shutting down"
                       : number == SIGTERM || number == SIGINT ? ", exiting"
                                                               : ", ignored";
    const std::string from = sender != 0 ? fmt::format(" from {}", sender) : std::string();
    running_.logs.main.line(LogLevel::notice, "signal {} ({}) received{}{}", number,
                            signal_name(number), from, what);
}

}  // namespace postern::process
