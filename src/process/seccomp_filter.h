// Which system calls a worker may make (seccomp(2)). A call that it has no use for fails with
// EPERM; one that only somebody who has taken over the process would make ends it, which the master
// logs as "exited on signal 31".
#pragma once

#include <expected>
#include <string>

namespace postern::process {

// False in builds with sanitizers, whose run-time libraries make calls of their own.
bool seccomp_is_built_in();
// Has the kernel what the filter needs?
bool kernel_has_seccomp();

// For this process and its later threads, for good; no_new_privs has been set. The error is
// complete but for its level.
std::expected<void, std::string> load_seccomp_filter();

}  // namespace postern::process
