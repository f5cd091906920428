// Which files a process may open, by Landlock (landlock(7)): those that it was allowed to read, and
// no other for anything. The kernel learned it in steps, its ABI versions; each thing below is
// there if the kernel has it. System calls are made directly, as headers are older than kernels.
#pragma once

#include <expected>
#include <string>

#include "base/descriptor.h"

namespace postern::process {

// 0: the kernel has no Landlock, or it is off.
int landlock_abi();

class LandlockRules
{
public:
    // Rules that forbid it all: files for reading, writing and executing, directories, device
    // controls (ABI 5), TCP ports to listen on (ABI 4), signals to other processes and abstract
    // UNIX sockets (ABI 6). Sockets with a path are not concerned, nor is what is open already.
    static std::expected<LandlockRules, std::string> make(int abi);

    // A file, or all that is beneath a directory, whoever puts it there later. What doesn't exist
    // is left out.
    std::expected<void, std::string> allow_reading(const std::string& path);
    // New files right there: what the kernel needs to write a core file.
    std::expected<void, std::string> allow_core_files(const std::string& directory);

    // For this process and its later threads, for good; no_new_privs has been set.
    std::expected<void, std::string> apply() const;

private:
    LandlockRules(int abi, Descriptor ruleset) : abi_(abi), ruleset_(std::move(ruleset)) {}
    std::expected<void, std::string> allow(const std::string& path, bool core_files);

    int abi_;
    Descriptor ruleset_;
};

}  // namespace postern::process
