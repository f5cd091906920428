#pragma once

#include <cstdint>
#include <span>

#include "limit/failure_counts.h"

namespace postern::limit {

// Which names have logged in from which networks lately: the time of the last login, by a secret
// hash of both, in memory as FailureCounts has it. Where a bucket is full, the oldest gives way.
class HomeNetworks
{
public:
    // As many buckets as a power of two.
    explicit HomeNetworks(std::span<Bucket> buckets) : buckets_(buckets) {}

    // So long a network stays a name's own after a login from there.
    static constexpr Time kKeptFor = 30 * 24 * 3600;
    // It is noted no more often than this: what many loops read is best left alone.
    static constexpr Time kNotedEvery = 3600;

    bool has(std::uint64_t hash, Time now) const;
    void note(std::uint64_t hash, Time now);

private:
    Bucket& bucket(std::uint64_t hash) const { return buckets_[hash & (buckets_.size() - 1)]; }

    std::span<Bucket> buckets_;
};

}  // namespace postern::limit
