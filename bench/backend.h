#pragma once

#include "bench/options.h"

namespace postern::bench {

// Serves mailboxes (mailbox.h) on three ports until a signal ends it.
[[noreturn]] void run_backend(const BackendOptions& options);

}  // namespace postern::bench
