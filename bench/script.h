// What a load client says and what it wants to hear, for each protocol. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/marks.h"
#include "bench/options.h"

namespace postern::bench {

// A command and its answer: lines that begin with `more`, then one that begins with `last`.
struct Step {
    std::string command;  // with CRLF; "": the greeting is waited for
    std::string_view last;
    std::string_view more = {};     // "": there is but one line
    bool then_tls = false;          // the handshake follows
    std::uint64_t filler_up = 0;    // bytes sent behind the command
    std::uint64_t filler_down = 0;  // bytes that come before the answer
    std::optional<Mark> mark = {};  // of those bytes
};

using Script = std::vector<Step>;

// Of user number `user` of so many.
std::string login_name(const LoadOptions& options, std::uint32_t user);

// From the greeting to the OK of the login, of user number `user` of so many.
Script login_script(const LoadOptions& options, std::uint32_t user);

// What an open session is asked again and again.
Step work_step(const LoadOptions& options);

}  // namespace postern::bench
