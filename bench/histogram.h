#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace postern::bench {

// Counts of values from 0 to 2^40, in buckets of which none is wider than 1/64 of its values: what
// it says of a percentile is off by less than 1.6 %.
class Histogram
{
public:
    void add(std::uint64_t value)
    {
        ++buckets_[index_of(value)];
        ++count_;
    }
    std::uint64_t count() const { return count_; }

    // The middle of the bucket below which `share` (0 to 1) of all values are, or in it; 0 without
    // values.
    std::uint64_t percentile(double share) const;

private:
    static constexpr unsigned kPrecisionBits = 6;
    static constexpr unsigned kValueBits = 40;
    static constexpr std::size_t kSteps = std::size_t{1} << kPrecisionBits;
    // Values below 2 * kSteps have buckets of their own; then each power of two has kSteps.
    static constexpr std::size_t kBuckets = kSteps * (kValueBits - kPrecisionBits + 1);

    static std::size_t index_of(std::uint64_t value);
    static std::uint64_t middle_of(std::size_t index);

    std::array<std::uint64_t, kBuckets> buckets_{};
    std::uint64_t count_ = 0;
};

}  // namespace postern::bench
