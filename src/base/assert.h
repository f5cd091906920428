#pragma once

namespace postern {

// Ends the process with a line on standard error; the master starts a new worker. In every build.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace postern

// For our own bugs only, never for what a peer or an administrator did.
#define POSTERN_ASSERT(condition) \
    ((condition) ? void(0) : ::postern::assertion_failed(#condition, __FILE__, __LINE__))
