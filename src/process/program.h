#pragma once

#include <sys/types.h>

#include <expected>
#include <string>
#include <vector>

#include "listen/sockets.h"
#include "log/logger.h"

namespace postern::process {

// How this process was started, so that a newer program of the same name can be started alike.
class Program
{
public:
    // To be called before set_title, which writes over the arguments.
    Program(int argc, char** argv);

    // Starts it as a process of its own, which gets these sockets and goes on with them. An error
    // before that is returned; if the program can't be run, the new process logs why and ends.
    std::expected<pid_t, std::string> start_successor(const std::vector<listen::Socket>& sockets,
                                                      const log::Logger& logger) const;

private:
    std::string path_;  // absolute
    std::vector<std::string> arguments_;
};

}  // namespace postern::process
