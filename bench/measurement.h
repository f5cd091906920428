#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "bench/histogram.h"
#include "bench/poller.h"

namespace postern::bench {

// What was done between `begin` and `end`, and all errors, also those before.
class Measurement
{
public:
    void begin();
    bool begun() const { return begin_.has_value(); }
    Clock::duration elapsed() const { return Clock::now() - *begin_; }

    // Something that began at `since` is done.
    void unit(Clock::time_point since);
    void bytes(std::uint64_t count);
    // The first few are named on standard error.
    void error(const std::string& what);

    std::uint64_t units() const { return latency_.count(); }
    std::uint64_t errors() const { return errors_; }

    // One line of JSON. `processor_seconds` is what this process used itself.
    std::string result() const;

private:
    std::optional<Clock::time_point> begin_;
    std::chrono::nanoseconds begin_processor_time_{};
    Histogram latency_;  // microseconds
    std::uint64_t bytes_ = 0;
    std::uint64_t errors_ = 0;
};

// A line on standard output, at once.
void say(const std::string& line);

}  // namespace postern::bench
