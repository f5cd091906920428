#include "bench/measurement.h"

#include <fmt/format.h>

#include <cstdio>
#include <ctime>

namespace postern::bench {

namespace {

constexpr std::uint64_t kNamedErrors = 5;

std::chrono::nanoseconds processor_time()
{
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

double seconds(std::chrono::nanoseconds time)
{
    return std::chrono::duration<double>(time).count();
}

}  // namespace

void Measurement::begin()
{
    begin_processor_time_ = processor_time();
    begin_ = Clock::now();
}

void Measurement::unit(Clock::time_point since)
{
    if (begun()) {
        const auto took =
            std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - since);
        latency_.add(static_cast<std::uint64_t>(took.count()));
    }
}

void Measurement::bytes(std::uint64_t count)
{
    if (begun()) {
        bytes_ += count;
    }
}

void Measurement::error(const std::string& what)
{
    if (++errors_ <= kNamedErrors) {
        fmt::print(stderr, "postern_bench: error: {}\n", what);
    }
}

std::string Measurement::result() const
{
    const double time = begun() ? seconds(elapsed()) : 0;
    const double used = begun() ? seconds(processor_time() - begin_processor_time_) : 0;
    return fmt::format(
        "{{\"units\": {}, \"seconds\": {:.6f}, \"rate\": {:.1f}, \"p50_us\": {}, \"p99_us\": {}, "
        "\"bytes\": {}, \"errors\": {}, \"processor_seconds\": {:.6f}}}",
        units(), time, time > 0 ? static_cast<double>(units()) / time : 0, latency_.percentile(0.5),
        latency_.percentile(0.99), bytes_, errors_, used);
}

void say(const std::string& line)
{
    fmt::print("{}\n", line);
    std::fflush(stdout);
}

}  // namespace postern::bench
