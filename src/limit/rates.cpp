#include "limit/rates.h"

#include <algorithm>

namespace postern::limit {

namespace {

// A word: who it is for, in the upper bits, and when the last of them has its turn, in ticks since
// the beginning. 0: nobody.
constexpr unsigned kTimeBits = 44;  // five years
constexpr std::uint64_t kTimeMask = (std::uint64_t{1} << kTimeBits) - 1;
using Tick = std::chrono::duration<std::int64_t, std::ratio<1, 100'000>>;

std::uint64_t tag_of(std::uint64_t hash)
{
    return std::max<std::uint64_t>(hash >> kTimeBits, 1) << kTimeBits;
}

std::uint64_t interval_of(const config::Rate& limit)
{
    return std::max<std::uint64_t>(std::uint64_t{Tick::period::den} * 1000 / limit.per_1000_seconds,
                                   1);
}

}  // namespace

std::optional<std::chrono::milliseconds> Rates::take(std::uint64_t hash, const config::Rate& limit,
                                                     Clock::time_point now)
{
    const std::uint64_t tag = tag_of(hash);
    const auto now_ticks =
        static_cast<std::uint64_t>(std::chrono::duration_cast<Tick>(now - begin_).count());
    const std::uint64_t interval = interval_of(limit);
    auto& words = buckets_[hash & (buckets_.size() - 1)].words;
    for (;;) {
        Word* place = nullptr;
        std::uint64_t found = 0;
        std::uint64_t earliest = ~std::uint64_t{0};
        for (Word& word : words) {
            const std::uint64_t one = word.load(std::memory_order_relaxed);
            const bool is_its_own = (one & ~kTimeMask) == tag;
            if (is_its_own || (one & kTimeMask) < earliest) {
                place = &word;
                found = one;
                earliest = one & kTimeMask;
            }
            if (is_its_own) {
                break;
            }
        }
        const bool is_known = (found & ~kTimeMask) == tag;
        const std::uint64_t turn = std::max(is_known ? found & kTimeMask : 0, now_ticks);
        const std::uint64_t early = turn - now_ticks;
        const std::uint64_t wait = early - std::min(early, interval * limit.burst);
        if (wait > static_cast<std::uint64_t>(Tick(kPatience).count())) {
            return std::nullopt;
        }
        const std::uint64_t next = std::min(turn + interval, kTimeMask);
        if (place->compare_exchange_weak(found, tag | next, std::memory_order_relaxed)) {
            return std::chrono::ceil<std::chrono::milliseconds>(
                Tick(static_cast<std::int64_t>(wait)));
        }
    }
}

void Rates::give_back(std::uint64_t hash, const config::Rate& limit)
{
    const std::uint64_t tag = tag_of(hash);
    for (Word& word : buckets_[hash & (buckets_.size() - 1)].words) {
        std::uint64_t now = word.load(std::memory_order_relaxed);
        while ((now & ~kTimeMask) == tag) {
            const std::uint64_t next = now & kTimeMask;
            const std::uint64_t earlier = next - std::min(next, interval_of(limit));
            if (word.compare_exchange_weak(now, tag | earlier, std::memory_order_relaxed)) {
                return;
            }
        }
    }
}

}  // namespace postern::limit
