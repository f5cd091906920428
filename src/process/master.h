#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/load.h"
#include "listen/sockets.h"
#include "process/logs.h"
#include "process/privileges.h"
#include "tls/contexts.h"

namespace postern::process {

// A configuration in force, with what it opened.
struct Running {
    std::unique_ptr<config::Settings> settings;  // the parts below point into it
    Logs logs;
    std::unique_ptr<tls::Contexts> tls;
    std::vector<listen::Socket> sockets;
    std::optional<Identity> identity;
};

// Supervises a worker: starts it, starts it anew if it dies, and passes signals on. Never reads
// from the network.
class Master
{
public:
    // `options` is what a reload reads. `targets` holds the logs of `running`.
    Master(config::Options options, Running running, log::Targets& targets);

    // Runs until TERM, INT or QUIT. Returns the exit status; a worker's process returns from here
    // too.
    int run();
    // Those of the last reload.
    const config::Settings& settings() const { return *running_.settings; }

private:
    struct Worker {
        pid_t pid = 0;
        bool leaving = false;  // told to quit: it is not started anew
        std::chrono::steady_clock::time_point started;
    };

    // True in the child.
    bool start_worker();
    int work();
    // True if this process has become a worker.
    bool reap();
    // False: the configuration is as it was.
    bool reload();
    void signal_workers(int number);
    void announce(int number, pid_t sender) const;

    config::Options options_;
    Running running_;
    log::Targets& targets_;
    std::vector<Worker> workers_;
    bool ending_ = false;
    std::optional<std::chrono::steady_clock::time_point> wake_;
    bool restart_ = false;
};

// Opens what a configuration names: logs, identity, certificates and keys, sockets. The error is
// complete but for its level. `old_tls` is what a reload takes over, or null.
std::expected<Running, std::string> open_all(config::Settings settings, log::Targets& targets,
                                             const tls::Contexts* old_tls,
                                             std::vector<listen::Socket>& old_sockets,
                                             listen::Mode mode, const listen::Report& report);

}  // namespace postern::process
