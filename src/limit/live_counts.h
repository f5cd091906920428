#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <utility>

#include "base/zeroed_array.h"

namespace postern::limit {

// How many there are now of each kind of thing: sessions of an address, for one. A count is there
// for as long as it isn't 0, so that their number is bounded by that of the things, and not by how
// many kinds have ever been seen. Threads share it without a lock.
class LiveCounts
{
    using Word = std::atomic<std::uint64_t>;

public:
    // One of those that are counted, until it goes. An empty one is not counted.
    class Place
    {
    public:
        Place() = default;
        Place(Place&& other) noexcept : word_(std::exchange(other.word_, nullptr)) {}
        Place& operator=(Place&& other) noexcept
        {
            std::swap(word_, other.word_);
            return *this;
        }
        ~Place();

        explicit operator bool() const { return word_ != nullptr; }

    private:
        friend class LiveCounts;
        explicit Place(Word* word) : word_(word) {}

        Word* word_ = nullptr;
    };

    // For so many things at a time: there is room for twice as many, 8 bytes each.
    explicit LiveCounts(std::size_t things);

    // A place, unless there are as many as `most` of that kind already; then their number. `hash`
    // has to be a secret one (SipHash). Where more kinds fall together than there is room for, the
    // last ones are not counted, and get an empty place: nobody is kept out by mistake.
    std::expected<Place, unsigned> enter(std::uint64_t hash, unsigned most);
    unsigned count(std::uint64_t hash) const;

private:
    struct alignas(64) Bucket {
        std::array<Word, 8> words;
    };

    Bucket& bucket(std::uint64_t hash) const { return buckets_[hash & (buckets_.size() - 1)]; }

    ZeroedArray<Bucket> buckets_;
};

}  // namespace postern::limit
