#include "tls/shared_memory.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <new>

namespace postern::tls {
namespace {

TEST(SharedMemory, IsZeroedAndSeenByChildren)
{
    constexpr std::size_t kBytes = 10'000;  // no whole number of pages
    auto* const bytes = static_cast<char*>(map_shared(kBytes));
    ASSERT_NE(bytes, nullptr);
    EXPECT_TRUE(std::all_of(bytes, bytes + kBytes, [](char c) { return c == 0; }));
    const pid_t child = fork();
    if (child == 0) {
        bytes[kBytes - 1] = 'x';
        _exit(0);
    }
    waitpid(child, nullptr, 0);
    EXPECT_EQ(bytes[kBytes - 1], 'x');
    unmap_shared(bytes, kBytes);
}

TEST(SharedMemory, MoreThanThereIs)
{
    EXPECT_EQ(map_shared(std::size_t{1} << 60), nullptr);
}

TEST(SharedMutex, IsInheritedFromTheDeadOnce)
{
    void* const memory = map_shared(sizeof(SharedMutex));
    ASSERT_NE(memory, nullptr);
    auto* const mutex = new (memory) SharedMutex;
    EXPECT_FALSE(SharedMutex::Lock(*mutex).is_inherited());
    const pid_t child = fork();
    if (child == 0) {
        const SharedMutex::Lock lock(*mutex);
        raise(SIGKILL);
    }
    waitpid(child, nullptr, 0);
    EXPECT_TRUE(SharedMutex::Lock(*mutex).is_inherited());
    EXPECT_FALSE(SharedMutex::Lock(*mutex).is_inherited());
    unmap_shared(memory, sizeof(SharedMutex));
}

}  // namespace
}  // namespace postern::tls
