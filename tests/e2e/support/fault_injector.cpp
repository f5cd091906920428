// Stands before malloc and the clocks in a program that a test starts (LD_PRELOAD), and makes them fail or jump
// as a file says that the test writes to at any time: its name is in POSTERN_FAULT_INJECTOR. What is in there:
// fault_injector.py.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <ctime>

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
}

namespace {

struct Faults {
    std::atomic<std::int64_t> process;      // whose allocations fail
    std::atomic<std::int64_t> to_pass;      // so many allocations succeed first
    std::atomic<std::int64_t> to_fail;      // and so many fail then
    std::atomic<std::int64_t> failed;       // so many have
    std::atomic<std::int64_t> clock_ahead;  // seconds that are added to the time of day
};
static_assert(sizeof(Faults) == 5 * 8);

Faults before_the_file;
Faults* faults = &before_the_file;

__attribute__((constructor)) void open_file()
{
    const char* const name = std::getenv("POSTERN_FAULT_INJECTOR");
    if (name == nullptr) {
        return;
    }
    const int file = open(name, O_RDWR | O_CLOEXEC);
    void* const memory = mmap(nullptr, sizeof(Faults), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (file < 0 || memory == MAP_FAILED) {
        std::abort();
    }
    close(file);
    faults = static_cast<Faults*>(memory);
}

bool fails()
{
    if (faults->to_fail.load() <= 0 || faults->process.load() != getpid() ||
        faults->to_pass.fetch_sub(1) > 0 || faults->to_fail.fetch_sub(1) <= 0) {
        return false;
    }
    faults->failed.fetch_add(1);
    errno = ENOMEM;
    return true;
}

bool is_time_of_day(clockid_t clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
}

}  // namespace

extern "C" {

void* malloc(std::size_t bytes)
{
    return fails() ? nullptr : __libc_malloc(bytes);
}

void* calloc(std::size_t count, std::size_t bytes)
{
    return fails() ? nullptr : __libc_calloc(count, bytes);
}

void* realloc(void* block, std::size_t bytes)
{
    return fails() ? nullptr : __libc_realloc(block, bytes);
}

void* memalign(std::size_t alignment, std::size_t bytes)
{
    return fails() ? nullptr : __libc_memalign(alignment, bytes);
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

int clock_gettime(clockid_t clock, timespec* now) noexcept
{
    const int result = static_cast<int>(syscall(SYS_clock_gettime, clock, now));
    if (result == 0 && is_time_of_day(clock)) {
        now->tv_sec += faults->clock_ahead.load();
    }
    return result;
}

time_t time(time_t* into) noexcept
{
    timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (into != nullptr) {
        *into = now.tv_sec;
    }
    return now.tv_sec;
}

int gettimeofday(timeval* __restrict into, void* __restrict) noexcept
{
    timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    *into = {now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

}  // extern "C"
