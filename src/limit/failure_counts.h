#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "config/settings.h"

namespace postern::limit {

// Seconds of a clock that all processes of a machine share and nobody sets.
using Time = std::uint32_t;

// Eight words that the processor fetches at once. Zeroed memory is an empty one.
struct alignas(64) Bucket {
    std::array<std::atomic<std::uint64_t>, 8> words;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "processes share it");

// Counts of failures by a key's hash, in memory of fixed size that threads and processes share
// without a lock: a count is one word, changed at once or not at all, so nobody can die in the
// middle of it. Counts shrink with time: `most` in `time`. Where a bucket is full, the lowest count
// gives way, and of equal ones the oldest.
//
// The hash has to be a secret one (SipHash). Two keys with the same bucket and 22 bits share a
// count.
class FailureCounts
{
public:
    using Limit = config::AuthFailureLimit;
    enum class Keeps : unsigned char {
        counts,
        guesses_too,  // half as many counts, each with the last four guesses
    };

    // As many buckets as a power of two.
    FailureCounts(std::span<Bucket> buckets, Keeps keeps)
        : buckets_(buckets), ways_(keeps == Keeps::counts ? 8 : 4)
    {
    }

    // Has it come to as many as the limit allows, and is the time of that not over? For as long as
    // that is so, the count stays as it is.
    bool is_full(std::uint64_t hash, const Limit& limit, Time now) const;
    // How many there are, in sixteenths.
    unsigned sixteenths(std::uint64_t hash, const Limit& limit, Time now) const;
    // One more: how many there are then, rounded up.
    unsigned add(std::uint64_t hash, const Limit& limit, Time now);
    // Some were no failures after all.
    void take_back(std::uint64_t hash, unsigned sixteenths, const Limit& limit, Time now);
    // With Keeps::guesses_too: is it one of the last guesses? To be noted after `add`.
    bool is_repeated(std::uint64_t hash, std::uint16_t guess) const;
    void note_guess(std::uint64_t hash, std::uint16_t guess);

    static unsigned rounded_up(unsigned sixteenths) { return (sixteenths + 15) / 16; }

private:
    using Word = std::atomic<std::uint64_t>;

    Bucket& bucket(std::uint64_t hash) const { return buckets_[hash & (buckets_.size() - 1)]; }
    Word* find(std::uint64_t hash) const;
    Word& find_or_least(std::uint64_t hash, const Limit& limit, Time now) const;

    std::span<Bucket> buckets_;
    std::size_t ways_;
};

}  // namespace postern::limit
