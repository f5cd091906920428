#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

#include "base/zeroed_array.h"

#include "config/settings.h"

namespace postern::limit {

// How often things of a kind have come lately: the generic cell rate algorithm, as NGINX's
// "limit_req" has it. Memory is fixed; where too many kinds fall together, the one that is nearest
// to being as if it had never come gives way, so that no flood of others makes an offender
// forgotten. Threads share it without a lock.
class Rates
{
public:
    using Clock = std::chrono::steady_clock;

    // For that many kinds, a power of two and more than 8: 8 bytes each.
    explicit Rates(std::size_t kinds) : buckets_(kinds / 8) {}

    // Nobody is kept waiting longer than this.
    static constexpr std::chrono::seconds kPatience{10};

    // How long one more of that kind has to wait for its turn: not at all, if no more than the
    // limit's burst came too early. Nothing: for too long, and this one is not to be taken. `hash`
    // has to be a secret one (SipHash), of the kind and the limit.
    std::optional<std::chrono::milliseconds> take(std::uint64_t hash, const config::Rate& limit,
                                                  Clock::time_point now);
    // One that was taken did not come after all.
    void give_back(std::uint64_t hash, const config::Rate& limit);

private:
    using Word = std::atomic<std::uint64_t>;
    struct alignas(64) Bucket {
        std::array<Word, 8> words;
    };

    ZeroedArray<Bucket> buckets_;
    Clock::time_point begin_ = Clock::now();
};

}  // namespace postern::limit
