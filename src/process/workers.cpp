#include "process/workers.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

namespace postern::process {

Workers::Fork Workers::start(const Logs& logs)
{
    auto handover = make_log_handover();
    if (!handover) {
        logs.main.write(LogLevel::alert, handover.error());
        return Fork::failed;
    }
    Worker worker{.started = std::chrono::steady_clock::now(),
                  .heartbeat = std::make_unique<Heartbeat>(),
                  .logs = logs};
    worker.pid = ::fork();
    if (worker.pid < 0) {
        logs.main.line(LogLevel::alert, "fork() failed while spawning \"worker process\"{}",
                       log::errno_text(errno));
        return Fork::failed;
    }
    const bool is_child = worker.pid == 0;
    if (is_child) {
        workers_.clear();  // what the master has of others is none of this one's
        worker.log_receiver = std::move(handover->receiver);
    } else {
        logs.main.line(LogLevel::notice, "start worker process {}", worker.pid);
        worker.log_sender = std::move(handover->sender);
    }
    workers_.push_back(std::move(worker));
    return is_child ? Fork::child : Fork::parent;
}

void Workers::signal(int number)
{
    for (Worker& worker : workers_) {
        ::kill(worker.pid, number);
        worker.leaving = worker.leaving || number != SIGUSR1;
    }
}

void Workers::reopen_logs(log::Targets& targets, const log::Logger& logger)
{
    for (const std::string& problem : targets.reopen()) {
        logger.write(LogLevel::emerg, problem);
    }
    for (const Worker& worker : workers_) {
        worker.log_sender.send(targets, worker.pid, logger);
    }
    signal(SIGUSR1);
}

std::optional<Worker> Workers::remove(pid_t pid)
{
    const auto found = std::ranges::find(workers_, pid, &Worker::pid);
    if (found == workers_.end()) {
        return std::nullopt;
    }
    Worker gone = std::move(*found);
    workers_.erase(found);
    return gone;
}

bool Workers::are_alive() const
{
    return std::ranges::all_of(workers_, [](const Worker& worker) {
        return worker.leaving || worker.heartbeat->is_alive();
    });
}

}  // namespace postern::process
