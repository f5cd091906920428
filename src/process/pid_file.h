#pragma once

#include <sys/types.h>

#include <expected>
#include <string>

namespace postern::process {

// The file that says which process to signal. Errors are complete but for their level.
std::expected<void, std::string> write_pid_file(const std::string& path, pid_t pid);
std::expected<pid_t, std::string> read_pid_file(const std::string& path);

}  // namespace postern::process
