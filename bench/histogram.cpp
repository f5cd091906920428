#include "bench/histogram.h"

#include <algorithm>
#include <cmath>

namespace postern::bench {

std::size_t Histogram::index_of(std::uint64_t value)
{
    constexpr std::uint64_t kMost = (std::uint64_t{1} << kValueBits) - 1;
    value = std::min(value, kMost);
    const auto width = static_cast<unsigned>(std::bit_width(value));
    const unsigned shift = width > kPrecisionBits + 1 ? width - kPrecisionBits - 1 : 0;
    // `value >> shift` is below 2 * kSteps, and not below kSteps if there is a shift.
    return shift * kSteps + static_cast<std::size_t>(value >> shift);
}

std::uint64_t Histogram::middle_of(std::size_t index)
{
    if (index < 2 * kSteps) {
        return index;
    }
    const std::size_t shift = index / kSteps - 1;
    const std::uint64_t first = (index - shift * kSteps) << shift;
    return first + (std::uint64_t{1} << shift) / 2;
}

std::uint64_t Histogram::percentile(double share) const
{
    const auto wanted = std::max<std::uint64_t>(
        1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_))));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
        seen += buckets_[i];
        if (seen >= wanted) {
            return middle_of(i);
        }
    }
    return 0;
}

}  // namespace postern::bench
