#include "log/memory_log.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "log/logger.h"

namespace postern::log {

namespace {

constexpr std::string_view kMark = "MEMLOG  ";
constexpr std::size_t kDigits = 8;
static_assert(kMark.size() % alignof(std::uint64_t) == 0 && kDigits == sizeof(std::uint64_t));

// NEXT is text and one word at once: whoever stops all this sees a number that is whole.
std::uint64_t to_word(std::size_t number)
{
    constexpr char kHex[] = "0123456789abcdef";
    char digits[kDigits];
    for (std::size_t i = kDigits; i-- > 0; number >>= 4) {
        digits[i] = kHex[number & 15];
    }
    std::uint64_t word = 0;
    std::memcpy(&word, digits, kDigits);
    return word;
}

std::size_t to_number(std::uint64_t word)
{
    char digits[kDigits];
    std::memcpy(digits, &word, kDigits);
    std::size_t number = 0;
    for (const char digit : digits) {
        number =
            number << 4 | static_cast<std::size_t>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    }
    return number;
}

}  // namespace

std::expected<std::shared_ptr<Target>, std::string> MemoryLog::open(const std::string& name,
                                                                    std::size_t bytes)
{
    const int descriptor = ::memfd_create("postern-memory-log", MFD_CLOEXEC);
    if (descriptor < 0) {
        return std::unexpected("memfd_create() failed" + errno_text(errno));
    }
    void* memory = MAP_FAILED;
    if (::ftruncate(descriptor, static_cast<off_t>(bytes)) == 0) {
        memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    }
    const int error = errno;
    ::close(descriptor);
    if (memory == MAP_FAILED) {
        return std::unexpected(fmt::format("mmap({}) failed{}", bytes, errno_text(error)));
    }
    std::string head = fmt::format("{}{:08x} {}\n", kMark, 0, name);
    const std::uint64_t next = to_word(head.size());
    std::memcpy(head.data() + kMark.size(), &next, kDigits);
    std::memcpy(memory, head.data(), head.size());
    return std::make_shared<MemoryLog>(static_cast<char*>(memory), bytes, head.size());
}

MemoryLog::~MemoryLog()
{
    ::munmap(memory_, bytes_);
}

// Each writer gets a place of its own, and then fills it. If a process dies between the two, old
// bytes stay there.
std::size_t MemoryLog::reserve(std::size_t bytes) noexcept
{
    const std::atomic_ref next(*reinterpret_cast<std::uint64_t*>(memory_ + kMark.size()));
    std::uint64_t seen = next.load(std::memory_order_relaxed);
    for (;;) {
        const std::size_t begin = to_number(seen);
        std::size_t end = begin + bytes;
        if (end >= bytes_) {
            end -= bytes_ - ring_begin_;
        }
        if (next.compare_exchange_weak(seen, to_word(end), std::memory_order_relaxed)) {
            return begin;
        }
    }
}

void MemoryLog::write(LogLevel, std::string_view line) noexcept
{
    line = line.substr(0, bytes_ - ring_begin_);
    const std::size_t begin = reserve(line.size());
    const std::size_t first = std::min(line.size(), bytes_ - begin);
    std::memcpy(memory_ + begin, line.data(), first);
    std::memcpy(memory_ + ring_begin_, line.data() + first, line.size() - first);
}

}  // namespace postern::log
