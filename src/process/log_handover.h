// How a worker follows a rotation of its log files. It has no right to open files, so its master
// does that, and hands over the descriptors through a pair of sockets that is made before the fork.
#pragma once

#include <sys/types.h>

#include <expected>
#include <string>
#include <vector>

#include "base/descriptor.h"
#include "log/logger.h"

namespace postern::process {

// The master's end. Nothing that a worker might write is ever read.
class LogSender
{
public:
    LogSender() = default;
    explicit LogSender(Descriptor socket) : socket_(std::move(socket)) {}

    // Sends all log files as they are open now. The worker looks when SIGUSR1 comes, which the
    // caller sends afterwards; should there be more files than the socket holds, it gets the signal
    // here as well. What a worker doesn't take in time is told to `logger`; one that has gone needs
    // nothing.
    void send(log::Targets& targets, pid_t worker, const log::Logger& logger) const;

private:
    Descriptor socket_;
};

// The worker's end.
class LogReceiver
{
public:
    LogReceiver() = default;
    explicit LogReceiver(Descriptor socket) : socket_(std::move(socket)) {}

    // Writes from now on to the files that have been sent; those that this worker doesn't write to
    // are dropped. Never waits. Returns what went wrong.
    std::vector<std::string> receive(log::Targets& targets) const;

private:
    Descriptor socket_;
};

struct LogHandover {
    LogSender sender;
    LogReceiver receiver;
};

// The error is complete but for its level.
std::expected<LogHandover, std::string> make_log_handover();

}  // namespace postern::process
