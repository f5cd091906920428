#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "config/load.h"
#include "process/pid_file.h"
#include "process/program.h"
#include "process/running.h"
#include "process/service_manager.h"
#include "process/workers.h"

namespace postern::process {

// Supervises a worker: starts it, starts it anew if it dies, and passes signals on. Never reads
// from the network.
class Master
{
public:
    // What there is in a process but once, and outlives the master.
    struct Process {
        const Program& program;
        PidFile& pid_file;
        const ServiceManager& service_manager;
        log::Targets& targets;  // holds the logs of `running`
        pid_t older;            // the Postern that has started us to replace it; 0: none
    };

    // `options` is what a reload reads.
    Master(config::Options options, Running running, Process process);

    // Runs until TERM, INT or QUIT. Returns the exit status; a worker's process returns from here
    // too.
    int run();

private:
    using Clock = std::chrono::steady_clock;

    // These return true in the process of a new worker.
    bool start_worker();
    bool handle(int signal);
    bool handle_timer();
    bool reap();
    bool reap_worker(pid_t pid, int status);
    bool reconfigure();
    bool return_from_upgrade();

    int work();
    // False: the configuration is as it was.
    bool reload();
    void upgrade();
    void stop(int signal);
    void close_sockets();
    void forget_files(const std::vector<listen::Socket>& sockets);
    const log::Logger& logger() const { return running_.logs.main; }
    bool older_is_there() const;
    std::optional<Clock::time_point> next_timer() const;

    config::Options options_;
    Running running_;
    Process process_;
    Workers workers_;
    std::vector<SocketAddress> shared_files_;  // of UNIX sockets that were closed in an upgrade
    pid_t successor_ = 0;  // a newer program that is to replace this one; 0: none
    bool ending_ = false;
    bool retired_ = false;  // by WINCH: there is no worker, and none is started
    int status_ = 0;
    // When something is due; nothing: never.
    std::optional<Clock::time_point> kill_at_;
    std::optional<Clock::time_point> restart_at_;
    std::optional<Clock::time_point> watchdog_at_;
};

}  // namespace postern::process
