#include "net/frames.h"

#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace postern::net {
namespace {

// As many as are kept of a size, and more; of sizes that are kept and of ones that are not.
TEST(Frames, AreEachOnesOwn)
{
    struct Frame {
        unsigned char* bytes;
        std::size_t size;
        unsigned char mark;
    };
    for (int round = 0; round < 3; ++round) {
        std::vector<Frame> frames;
        unsigned char mark = 0;
        for (const std::size_t size : {1, 63, 64, 65, 127, 500, 1024, 1025, 5000}) {
            for (int i = 0; i < 40; ++i) {
                auto* const bytes = static_cast<unsigned char*>(allocate_frame(size));
                ASSERT_EQ(reinterpret_cast<std::uintptr_t>(bytes) % alignof(std::max_align_t), 0u);
                std::memset(bytes, ++mark, size);
                frames.push_back({bytes, size, mark});
            }
        }
        for (const Frame& frame : frames) {
            for (std::size_t i = 0; i < frame.size; ++i) {
                ASSERT_EQ(frame.bytes[i], frame.mark) << frame.size << " " << i;
            }
            release_frame(frame.bytes, frame.size);
        }
    }
}

// One that is made in a thread may end in another, and after the first is gone.
TEST(Frames, OutliveTheirThread)
{
    void* frame = nullptr;
    std::thread([&frame] {
        release_frame(allocate_frame(200), 200);
        frame = allocate_frame(200);
    }).join();
    std::memset(frame, 1, 200);
    release_frame(frame, 200);
    std::thread([] { release_frame(allocate_frame(200), 200); }).join();
}

}  // namespace
}  // namespace postern::net
