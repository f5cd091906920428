#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <optional>
#include <string_view>

namespace postern::process {

// Not a signal: the wait took too long.
inline constexpr int kTimedOut = 0;
// Our own: all event loops of this worker have ended.
inline const int kLoopsEnded = SIGRTMIN;

struct Signal {
    int number = kTimedOut;
    pid_t sender = 0;  // 0: the kernel
};

// Blocks all signals that masters and workers wait for, and ignores SIGPIPE. Threads made later
// inherit it.
void block_signals();
// Waits for one of them, or until `limit`.
Signal wait_for_signal(std::optional<std::chrono::steady_clock::time_point> limit);

// "SIGHUP"
std::string_view signal_name(int number);

// What "ps" shows: "postern: TITLE". To be called once with main's argv before set_title.
void keep_title_space(int argc, char** argv);
void set_title(std::string_view title);

}  // namespace postern::process
