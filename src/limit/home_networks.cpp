#include "limit/home_networks.h"

#include <algorithm>

namespace postern::limit {

namespace {

// A word: 36 bits of the hash, never 0, then the time.
constexpr unsigned kTimeBits = 28;
constexpr std::uint64_t kTimeMask = (1 << kTimeBits) - 1;

std::uint64_t fingerprint(std::uint64_t hash)
{
    return std::max(hash >> kTimeBits, std::uint64_t{1});
}

std::uint64_t age(std::uint64_t word, Time now)
{
    if (word == 0) {
        return kTimeMask;
    }
    const std::uint64_t age = (now - word) & kTimeMask;
    return age > kTimeMask / 2 ? 0 : age;  // another thread's clock may be ahead of ours
}

}  // namespace

bool HomeNetworks::has(std::uint64_t hash, Time now) const
{
    return std::ranges::any_of(bucket(hash).words, [&](const auto& place) {
        const std::uint64_t word = place.load(std::memory_order_relaxed);
        return word >> kTimeBits == fingerprint(hash) && age(word, now) < kKeptFor;
    });
}

void HomeNetworks::note(std::uint64_t hash, Time now)
{
    auto& places = bucket(hash).words;
    auto* oldest = &places[0];
    std::uint64_t oldest_age = 0;
    for (auto& place : places) {
        const std::uint64_t word = place.load(std::memory_order_relaxed);
        const std::uint64_t word_age = age(word, now);
        if (word >> kTimeBits == fingerprint(hash)) {
            if (word_age < kNotedEvery) {
                return;
            }
            oldest = &place;
            break;
        }
        if (word_age > oldest_age) {
            oldest = &place;
            oldest_age = word_age;
        }
    }
    oldest->store(fingerprint(hash) << kTimeBits | (now & kTimeMask), std::memory_order_relaxed);
}

}  // namespace postern::limit
