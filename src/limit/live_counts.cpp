#include "limit/live_counts.h"

#include <algorithm>
#include <bit>

namespace postern::limit {

namespace {

// A word: who it is for, in the upper bits, and how many of them there are. 0: nobody.
constexpr unsigned kCountBits = 24;
constexpr std::uint64_t kCountMask = (std::uint64_t{1} << kCountBits) - 1;

std::uint64_t tag_of(std::uint64_t hash)
{
    // Never 0: an address whose tag is nobody's would find each free word its own.
    return std::max<std::uint64_t>(hash >> kCountBits, 1) << kCountBits;
}

bool is_for(std::uint64_t word, std::uint64_t tag)
{
    return (word & ~kCountMask) == tag;
}

}  // namespace

LiveCounts::Place::~Place()
{
    if (word_ == nullptr) {
        return;
    }
    std::uint64_t word = word_->load(std::memory_order_relaxed);
    while (!word_->compare_exchange_weak(word, (word & kCountMask) == 1 ? 0 : word - 1,
                                         std::memory_order_relaxed)) {
    }
}

LiveCounts::LiveCounts(std::size_t things)
    : buckets_(std::bit_ceil(std::max<std::size_t>(things / 4, 1)))
{
}

// Two threads that bring the first two of a kind at the same moment may make two words of it: each
// is right about its own, and the limit is held to within that.
std::expected<LiveCounts::Place, unsigned> LiveCounts::enter(std::uint64_t hash, unsigned most)
{
    const std::uint64_t tag = tag_of(hash);
    auto& words = bucket(hash).words;
    for (;;) {
        Word* free = nullptr;
        for (Word& word : words) {
            std::uint64_t now = word.load(std::memory_order_relaxed);
            while (is_for(now, tag)) {
                const std::uint64_t count = now & kCountMask;
                if (count >= std::min<std::uint64_t>(most, kCountMask)) {
                    return std::unexpected(static_cast<unsigned>(count));
                }
                if (word.compare_exchange_weak(now, now + 1, std::memory_order_relaxed)) {
                    return Place(&word);
                }
            }
            if (now == 0 && free == nullptr) {
                free = &word;
            }
        }
        if (most == 0) {
            return std::unexpected(0u);
        }
        if (free == nullptr) {
            return Place();
        }
        std::uint64_t nobody = 0;
        if (free->compare_exchange_strong(nobody, tag | 1, std::memory_order_relaxed)) {
            return Place(free);
        }
    }
}

unsigned LiveCounts::count(std::uint64_t hash) const
{
    std::uint64_t count = 0;
    for (const Word& word : bucket(hash).words) {
        const std::uint64_t now = word.load(std::memory_order_relaxed);
        count += is_for(now, tag_of(hash)) ? now & kCountMask : 0;
    }
    return static_cast<unsigned>(count);
}

}  // namespace postern::limit
