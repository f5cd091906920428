#include "net/frames.h"

#include <array>
#include <new>

namespace postern::net {

namespace {

constexpr std::size_t kStep = 64;   // sizes are rounded up to this
constexpr std::size_t kSizes = 16;  // larger ones are malloc's
constexpr unsigned kMostKept = 16;  // of a size

// Sanitizers have to see who uses a frame that is gone.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define POSTERN_KEEPS_FRAMES 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define POSTERN_KEEPS_FRAMES 0
#endif
#endif
#ifndef POSTERN_KEEPS_FRAMES
#define POSTERN_KEEPS_FRAMES 1
#endif

struct Kept {
    struct Frame {
        Frame* next;
    };
    Frame* first = nullptr;
    unsigned count = 0;
};

struct KeptSizes {
    constexpr KeptSizes() = default;
    KeptSizes(const KeptSizes&) = delete;
    KeptSizes& operator=(const KeptSizes&) = delete;
    // Of a thread that ends: all are given back, and no more are kept.
    ~KeptSizes()
    {
        for (Kept& kept : sizes) {
            while (Kept::Frame* const frame = kept.first) {
                kept.first = frame->next;
                ::operator delete(frame);
            }
            kept.count = kMostKept;
        }
    }
    std::array<Kept, kSizes> sizes{};
};

constinit thread_local KeptSizes kept_sizes;

// Nothing: such a frame is not kept.
Kept* kept_of_size(std::size_t bytes)
{
    const std::size_t index = (bytes - 1) / kStep;
    return POSTERN_KEEPS_FRAMES && index < kSizes ? &kept_sizes.sizes[index] : nullptr;
}

}  // namespace

void* allocate_frame(std::size_t bytes)
{
    Kept* const kept = kept_of_size(bytes);
    if (kept == nullptr) {
        return ::operator new(bytes);
    }
    if (Kept::Frame* const frame = kept->first) {
        kept->first = frame->next;
        --kept->count;
        return frame;
    }
    return ::operator new((bytes + kStep - 1) / kStep * kStep);
}

void release_frame(void* frame, std::size_t bytes) noexcept
{
    Kept* const kept = kept_of_size(bytes);
    if (kept == nullptr || kept->count == kMostKept) {
        ::operator delete(frame);
        return;
    }
    kept->first = new (frame) Kept::Frame{kept->first};
    ++kept->count;
}

}  // namespace postern::net
