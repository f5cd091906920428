#include "process/workers.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

namespace postern::process {

Workers::Fork Workers::start(const log::Logger& logger)
{
    Worker worker{.started = std::chrono::steady_clock::now(),
                  .heartbeat = std::make_unique<Heartbeat>()};
    worker.pid = ::fork();
    if (worker.pid < 0) {
        logger.line(LogLevel::alert, "fork() failed while spawning \"worker process\"{}",
                    log::errno_text(errno));
        return Fork::failed;
    }
    const bool is_child = worker.pid == 0;
    if (!is_child) {
        logger.line(LogLevel::notice, "start worker process {}", worker.pid);
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
