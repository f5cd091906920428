#include "limit/failure_counts.h"

#include <algorithm>
#include <utility>

namespace postern::limit {

namespace {

constexpr unsigned kFingerprintShift = 42;  // 22 bits, never 0
constexpr unsigned kCountShift = 28;        // 14 bits, sixteenths
constexpr std::uint64_t kCountMost = (1 << 14) - 1;
constexpr std::uint64_t kTimeMask = (1 << kCountShift) - 1;  // eight years and a half
constexpr unsigned kOne = 16;
constexpr unsigned kGuesses = 4;
constexpr unsigned kGuessBits = 16;

std::uint64_t fingerprint(std::uint64_t hash)
{
    return std::max(hash >> kFingerprintShift, std::uint64_t{1});
}

// A count as it was when it was last changed.
struct Count {
    std::uint64_t fingerprint = 0;  // 0: nobody's
    std::uint64_t sixteenths = 0;
    std::uint64_t changed = 0;

    static Count of(std::uint64_t word)
    {
        return {word >> kFingerprintShift, word >> kCountShift & kCountMost, word & kTimeMask};
    }

    std::uint64_t word() const
    {
        return fingerprint << kFingerprintShift | sixteenths << kCountShift | changed;
    }

    std::uint64_t age(Time now) const
    {
        const std::uint64_t age = (now - changed) & kTimeMask;
        return age > kTimeMask / 2 ? 0 : age;  // another thread's clock may be ahead of ours
    }

    bool is_full(const FailureCounts::Limit& limit, Time now) const
    {
        return sixteenths >= std::uint64_t{limit.most} * kOne &&
               age(now) < static_cast<std::uint64_t>(limit.time.count());
    }

    std::uint64_t left(const FailureCounts::Limit& limit, Time now) const
    {
        const std::uint64_t gone = age(now) * limit.most * kOne /
                                   static_cast<std::uint64_t>(std::max(limit.time.count(), 1L));
        return sixteenths - std::min(sixteenths, gone);
    }
};

}  // namespace

FailureCounts::Word* FailureCounts::find(std::uint64_t hash) const
{
    Bucket& set = bucket(hash);
    for (std::size_t way = 0; way < ways_; ++way) {
        const std::uint64_t word = set.words[way].load(std::memory_order_relaxed);
        if (word >> kFingerprintShift == fingerprint(hash)) {
            return &set.words[way];
        }
    }
    return nullptr;
}

// The key's place, or the one that it is to take.
FailureCounts::Word& FailureCounts::find_or_least(std::uint64_t hash, const Limit& limit,
                                                  Time now) const
{
    if (Word* const known = find(hash)) {
        return *known;
    }
    const auto worth = [&](const Word& word) {
        const Count count = Count::of(word.load(std::memory_order_relaxed));
        return count.fingerprint == 0
                   ? std::pair(std::uint64_t{0}, std::uint64_t{0})
                   : std::pair(count.left(limit, now) + 1, kTimeMask - count.age(now));
    };
    return *std::ranges::min_element(std::span(bucket(hash).words).first(ways_), {}, worth);
}

bool FailureCounts::is_full(std::uint64_t hash, const Limit& limit, Time now) const
{
    const Word* const word = find(hash);
    return word != nullptr && Count::of(word->load(std::memory_order_relaxed)).is_full(limit, now);
}

unsigned FailureCounts::sixteenths(std::uint64_t hash, const Limit& limit, Time now) const
{
    const Word* const word = find(hash);
    return word == nullptr ? 0
                           : static_cast<unsigned>(
                                 Count::of(word->load(std::memory_order_relaxed)).left(limit, now));
}

unsigned FailureCounts::add(std::uint64_t hash, const Limit& limit, Time now)
{
    for (;;) {
        Word& place = find_or_least(hash, limit, now);
        std::uint64_t before = place.load(std::memory_order_relaxed);
        Count count = Count::of(before);
        const bool is_new = count.fingerprint != fingerprint(hash);
        if (is_new) {
            count = {fingerprint(hash), 0, 0};
        } else if (count.is_full(limit, now)) {
            return rounded_up(static_cast<unsigned>(count.sixteenths));
        }
        // Never more than the limit, so that all are forgotten when its time is over; and never
        // less than another server's limit has made of it.
        const std::uint64_t left = count.left(limit, now);
        const std::uint64_t most = std::min(std::uint64_t{limit.most} * kOne, kCountMost);
        count.sixteenths = std::max(left, std::min(left + kOne, most));
        count.changed = now & kTimeMask;
        if (place.compare_exchange_weak(before, count.word(), std::memory_order_relaxed)) {
            if (is_new && ways_ < bucket(hash).words.size()) {
                (&place)[ways_].store(0, std::memory_order_relaxed);
            }
            return rounded_up(static_cast<unsigned>(count.sixteenths));
        }
    }
}

void FailureCounts::take_back(std::uint64_t hash, unsigned sixteenths, const Limit& limit, Time now)
{
    Word* const place = find(hash);
    if (place == nullptr) {
        return;
    }
    std::uint64_t before = place->load(std::memory_order_relaxed);
    Count count;
    do {
        count = Count::of(before);
        if (count.fingerprint != fingerprint(hash) || count.is_full(limit, now)) {
            return;
        }
        const std::uint64_t left = count.left(limit, now);
        count.sixteenths = left - std::min(left, std::uint64_t{sixteenths});
        count.changed = now & kTimeMask;
    } while (!place->compare_exchange_weak(before, count.word(), std::memory_order_relaxed));
}

bool FailureCounts::is_repeated(std::uint64_t hash, std::uint16_t guess) const
{
    const Word* const place = find(hash);
    const std::uint64_t known = place == nullptr ? 0 : place[ways_].load(std::memory_order_relaxed);
    for (unsigned i = 0; i < kGuesses; ++i) {
        if (static_cast<std::uint16_t>(known >> (i * kGuessBits)) == guess) {
            return true;
        }
    }
    return false;
}

void FailureCounts::note_guess(std::uint64_t hash, std::uint16_t guess)
{
    if (Word* const place = find(hash)) {
        Word& guesses = place[ways_];
        guesses.store(guesses.load(std::memory_order_relaxed) << kGuessBits | guess,
                      std::memory_order_relaxed);
    }
}

}  // namespace postern::limit
