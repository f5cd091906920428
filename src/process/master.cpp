#include "process/master.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "process/announcements.h"
#include "process/signals.h"
#include "process/worker.h"

namespace postern::process {

namespace {

// Workers that are told to end at once and don't are killed after this.
constexpr std::chrono::milliseconds kStopLimit{1500};
// A worker that dies sooner than this is not started anew at once, as it would die again.
constexpr std::chrono::seconds kShortLife{1};
// The service manager is told this often in its time that all is well.
constexpr int kSignsOfLife = 4;

}  // namespace

Master::Master(config::Options options, Running running, Process process)
    : options_(std::move(options)), running_(std::move(running)), process_(process)
{
}

int Master::run()
{
    announce_start(logger());
    if (!running_.settings->master_process) {
        process_.service_manager.ready();
        const int status = work();
        close_sockets();
        return status;
    }
    set_title("master process");
    logger().write(LogLevel::notice, "start worker processes");
    if (start_worker()) {
        return work();
    }
    process_.service_manager.ready();
    if (const auto limit = process_.service_manager.watchdog()) {
        watchdog_at_ = Clock::now() + *limit / kSignsOfLife;
    }
    while (!ending_ || !workers_.empty()) {
        const Signal signal = wait_for_signal(next_timer());
        // A terminal whose size has changed is no reason to stop serving.
        const bool resized = signal.number == SIGWINCH && signal.sender == 0;
        if (signal.number != kTimedOut && signal.number != SIGCHLD && !resized) {
            announce_signal(logger(), signal);
        }
        const bool is_worker =
            signal.number == kTimedOut ? handle_timer() : !resized && handle(signal.number);
        if (is_worker) {
            return work();
        }
    }
    close_sockets();
    for (const SocketAddress& address : shared_files_) {
        listen::remove_if_stale(address);
    }
    logger().write(LogLevel::notice, "exit");
    return status_;
}

bool Master::handle(int signal)
{
    switch (signal) {
    case SIGCHLD:
        return reap();
    case SIGHUP:
        return reconfigure();
    case SIGUSR1:
        workers_.reopen_logs(process_.targets, logger());
        break;
    case SIGUSR2:
        upgrade();
        break;
    case SIGWINCH:
        retired_ = true;
        workers_.signal(SIGQUIT);
        break;
    case SIGQUIT:
    case SIGTERM:
    case SIGINT:
        stop(signal);
        break;
    default:
        break;
    }
    return false;
}

bool Master::handle_timer()
{
    const auto now = Clock::now();
    const auto is_due = [&](std::optional<Clock::time_point>& when) {
        const bool due = when && *when <= now;
        if (due) {
            when.reset();
        }
        return due;
    };
    if (is_due(kill_at_)) {
        workers_.signal(SIGKILL);
    }
    if (is_due(watchdog_at_)) {
        if (workers_.are_alive()) {
            process_.service_manager.alive();
        }
        watchdog_at_ = now + *process_.service_manager.watchdog() / kSignsOfLife;
    }
    return is_due(restart_at_) && start_worker();
}

std::optional<Master::Clock::time_point> Master::next_timer() const
{
    std::optional<Clock::time_point> next;
    for (const auto& when : {kill_at_, restart_at_, watchdog_at_}) {
        if (when && (!next || *when < *next)) {
            next = when;
        }
    }
    return next;
}

bool Master::start_worker()
{
    restart_at_.reset();
    switch (workers_.start(running_.logs)) {
    case Workers::Fork::parent:
        break;
    case Workers::Fork::child:
        return true;
    case Workers::Fork::failed:
        restart_at_ = Clock::now() + kShortLife;
        break;
    }
    return false;
}

// In the worker's process, or with "master_process off".
int Master::work()
{
    const bool has_master = running_.settings->master_process;
    set_title(has_master ? "worker process" : "single process");
    if (has_master) {
        const auto done = become_worker(*running_.settings, running_.identity, logger());
        if (!done) {
            logger().write(LogLevel::emerg, done.error());
            return kWorkerCannotStart;
        }
    }
    WorkerTask task{.settings = *running_.settings,
                    .logs = running_.logs,
                    .targets = process_.targets,
                    .tls = *running_.tls,
                    .sockets = running_.sockets,
                    .auth_failures = *running_.auth_failures};
    if (has_master) {
        task.log_receiver = &workers_.self().log_receiver;
    }
    if (const auto limit = process_.service_manager.watchdog(); limit && has_master) {
        task.heartbeat = workers_.self().heartbeat.get();
        task.heartbeat_interval = *limit / (2 * kSignsOfLife);
    }
    return run_worker(task);
}

bool Master::reap()
{
    int status = 0;
    for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0; pid = waitpid(-1, &status, WNOHANG)) {
        const bool is_successor = pid == successor_;
        const char* const what = is_successor ? "new binary" : "worker";
        if (WIFSIGNALED(status)) {
            logger().line(LogLevel::alert, "{} process {} exited on signal {}{}", what, pid,
                          WTERMSIG(status), WCOREDUMP(status) ? " (core dumped)" : "");
        } else {
            logger().line(LogLevel::notice, "{} process {} exited with code {}", what, pid,
                          WEXITSTATUS(status));
        }
        if (is_successor ? return_from_upgrade() : reap_worker(pid, status)) {
            return true;
        }
    }
    return false;
}

bool Master::reap_worker(pid_t pid, int status)
{
    const std::optional<Worker> gone = workers_.remove(pid);
    if (!gone) {
        return false;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == kWorkerCannotStart) {
        logger().line(LogLevel::alert,
                      "worker process {} exited with fatal code {} and cannot be respawned", pid,
                      kWorkerCannotStart);
        if (workers_.empty() && !ending_) {
            ending_ = true;
            status_ = kWorkerCannotStart;
        }
        return false;
    }
    if (ending_ || retired_ || gone->leaving) {
        return false;
    }
    const auto earliest = gone->started + kShortLife;
    if (Clock::now() < earliest) {
        restart_at_ = earliest;
        return false;
    }
    return start_worker();
}

// After WINCH, HUP brings the old configuration's worker back: the way back from an upgrade.
bool Master::reconfigure()
{
    if (ending_) {
        return false;
    }
    if (retired_) {
        retired_ = false;
        if (successor_ != 0) {
            return start_worker();
        }
    }
    process_.service_manager.reloading();
    const bool done = reload();
    process_.service_manager.ready();
    return done && start_worker();
}

// All is opened before anything that runs is touched: a configuration that is wrong changes
// nothing.
bool Master::reload()
{
    logger().write(LogLevel::notice, "reconfiguring");
    auto loaded = config::load(options_);
    if (!loaded) {
        logger().write(LogLevel::emerg, loaded.error().text);
        return false;
    }
    for (const config::Warning& warning : loaded->warnings) {
        logger().write(warning.level, warning.text);
    }
    // What an old socket gives is only borrowed until all is well.
    std::vector<listen::Socket> borrowed;
    for (const listen::Socket& socket : running_.sockets) {
        auto copy = socket.duplicate();
        if (!copy) {
            logger().write(LogLevel::emerg, copy.error());
            return false;
        }
        borrowed.push_back(std::move(*copy));
    }
    const auto report = [this](LogLevel level, const std::string& text) {
        logger().write(level, text);
    };
    auto next = open_all(std::move(loaded->settings), process_.targets, &running_, borrowed,
                         listen::Mode::serve, report);
    if (!next) {
        logger().write(LogLevel::emerg, next.error());
        return false;
    }
    forget_files(borrowed);
    running_ = std::move(*next);
    redirect_standard_error(*running_.settings, process_.targets);
    workers_.signal(SIGQUIT);
    return true;
}

// Old and new serve side by side until somebody ends one of them.
void Master::upgrade()
{
    if (ending_ || successor_ != 0 || older_is_there()) {
        logger().write(LogLevel::notice,
                       "the other process of an upgrade is still there, or this one is about to "
                       "end: the signal is ignored");
        return;
    }
    if (const auto moved = process_.pid_file.step_aside(); !moved) {
        logger().write(LogLevel::alert, moved.error());
        return;
    }
    const auto successor = process_.program.start_successor(running_.sockets, logger());
    if (!successor) {
        logger().write(LogLevel::alert, successor.error());
        if (const auto moved = process_.pid_file.step_back(); !moved) {
            logger().write(LogLevel::alert, moved.error());
        }
        return;
    }
    successor_ = *successor;
    logger().line(LogLevel::notice, "start new binary process {}", successor_);
}

// The newer program has ended: all is as it was before.
bool Master::return_from_upgrade()
{
    successor_ = 0;
    if (const auto moved = process_.pid_file.step_back(); !moved) {
        logger().write(LogLevel::alert, moved.error());
    }
    if (ending_) {
        return false;
    }
    process_.service_manager.ready();
    const bool was_retired = retired_;
    retired_ = false;
    return was_retired && start_worker();
}

// QUIT: when the last session is over. TERM and INT: at once.
void Master::stop(int signal)
{
    const bool at_once = signal != SIGQUIT;
    if (successor_ == 0 && !older_is_there()) {
        process_.service_manager.stopping();
    }
    ending_ = true;
    restart_at_.reset();
    close_sockets();
    workers_.signal(at_once ? SIGTERM : SIGQUIT);
    if (at_once) {
        kill_at_ = Clock::now() + kStopLimit;
    }
}

bool Master::older_is_there() const
{
    return process_.older != 0 && getppid() == process_.older;
}

void Master::close_sockets()
{
    forget_files(running_.sockets);
    running_.sockets.clear();
}

// Nobody listens on these UNIX sockets any more, unless the other process of an upgrade does: then
// it is seen at our end who of us was the last.
void Master::forget_files(const std::vector<listen::Socket>& sockets)
{
    const bool alone = successor_ == 0 && !older_is_there();
    for (const listen::Socket& socket : sockets) {
        if (alone) {
            socket.remove_file();
        } else if (socket.address().is_unix() && !socket.is_activated()) {
            shared_files_.push_back(socket.address());
        }
    }
}

}  // namespace postern::process
