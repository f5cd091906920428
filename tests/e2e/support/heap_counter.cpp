// Stands before malloc in a program that a test starts (LD_PRELOAD), and counts in a file that the test
// can read at any time: the name is in POSTERN_HEAP_COUNTER. All processes that are forked count together.
// What they are: heap_counter.py.
#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstdlib>

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);
}

namespace {

struct Counters {
    std::atomic<std::int64_t> allocations;
    std::atomic<std::int64_t> live_bytes;
    std::atomic<std::int64_t> live_blocks[62];  // by the number of bits in their size
};
static_assert(sizeof(Counters) == 64 * 8);

Counters before_the_file;
Counters* counters = &before_the_file;

__attribute__((constructor)) void open_file()
{
    const char* const name = std::getenv("POSTERN_HEAP_COUNTER");
    if (name == nullptr) {
        return;
    }
    const int file = open(name, O_RDWR | O_CLOEXEC);
    void* const memory =
        mmap(nullptr, sizeof(Counters), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (file < 0 || memory == MAP_FAILED) {
        std::abort();
    }
    close(file);
    counters = static_cast<Counters*>(memory);
}

// With the header that glibc keeps for it.
std::size_t size_of(void* block)
{
    return malloc_usable_size(block) + sizeof(std::size_t);
}

void* taken(void* block)
{
    if (block != nullptr) {
        const std::size_t bytes = size_of(block);
        counters->allocations.fetch_add(1, std::memory_order_relaxed);
        counters->live_bytes.fetch_add(static_cast<std::int64_t>(bytes), std::memory_order_relaxed);
        counters->live_blocks[std::bit_width(bytes)].fetch_add(1, std::memory_order_relaxed);
    }
    return block;
}

void given(std::size_t bytes)
{
    counters->live_bytes.fetch_sub(static_cast<std::int64_t>(bytes), std::memory_order_relaxed);
    counters->live_blocks[std::bit_width(bytes)].fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace

extern "C" {

void* malloc(std::size_t bytes)
{
    return taken(__libc_malloc(bytes));
}

void* calloc(std::size_t count, std::size_t bytes)
{
    return taken(__libc_calloc(count, bytes));
}

void* realloc(void* block, std::size_t bytes)
{
    const std::size_t before = block != nullptr ? size_of(block) : 0;
    void* const moved = __libc_realloc(block, bytes);
    if (before != 0 && (moved != nullptr || bytes == 0)) {
        given(before);
    }
    return taken(moved);
}

void* memalign(std::size_t alignment, std::size_t bytes)
{
    return taken(__libc_memalign(alignment, bytes));
}

void* aligned_alloc(std::size_t alignment, std::size_t bytes)
{
    return memalign(alignment, bytes);
}

int posix_memalign(void** block, std::size_t alignment, std::size_t bytes)
{
    *block = memalign(alignment, bytes);
    return *block != nullptr ? 0 : ENOMEM;
}

void free(void* block)
{
    if (block != nullptr) {
        given(size_of(block));
        __libc_free(block);
    }
}

}  // extern "C"
