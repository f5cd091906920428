// What a worker has to read at run time, and what it must not be able to read.
#pragma once

#include <string>
#include <vector>

#include "config/settings.h"

namespace postern::process {

struct ReadablePaths {
    std::vector<std::string> paths;    // files, and directories with all that is beneath them
    std::vector<std::string> notices;  // what an administrator should know
};

// To be asked before the process gives up its rights, while it can still see where keys lie, and
// before it gives up its environment.
ReadablePaths readable_paths(const config::Settings& settings);

// Where the kernel would write a core file of the worker; "" if it would write none there.
std::string core_file_directory(const config::Settings& settings);

}  // namespace postern::process
