#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <string>

#include "log/target.h"

namespace postern::log {

// "error_log memory:SIZE": the last lines, in memory that all processes of a configuration share,
// for a debugger to look at. It costs no system call, so it bears level debug on a busy server.
//
// The memory is a ring with a line of text before it: "MEMLOG  NEXT NAME\n". NEXT is where the next
// line goes, as 8 hexadecimal digits, counted from the start of the memory: the oldest line that is
// whole begins behind it, and the newest ends at it. What was not written yet is zero. The mapping
// is called "postern-memory-log" in /proc/PID/maps.
class MemoryLog final : public Target
{
public:
    // `name` tells it from others; `bytes` are those of the whole memory.
    static std::expected<std::shared_ptr<Target>, std::string> open(const std::string& name,
                                                                    std::size_t bytes);

    MemoryLog(char* memory, std::size_t bytes, std::size_t ring_begin)
        : memory_(memory), bytes_(bytes), ring_begin_(ring_begin)
    {
    }
    ~MemoryLog() override;
    MemoryLog(const MemoryLog&) = delete;
    MemoryLog& operator=(const MemoryLog&) = delete;

    void write(LogLevel level, std::string_view line) noexcept override;
    std::string name() const override { return "memory"; }

    std::string_view memory() const { return {memory_, bytes_}; }

private:
    std::size_t reserve(std::size_t bytes) noexcept;

    char* memory_;
    std::size_t bytes_;
    std::size_t ring_begin_;
};

}  // namespace postern::log
