#pragma once

#include <cstddef>

namespace postern {

// What came of a call that never waits.
struct Io {
    enum class Status : unsigned char { done, would_block, closed, failed };
    Status status = Status::done;
    std::size_t bytes = 0;
    int error = 0;  // errno value, if failed
};

}  // namespace postern
