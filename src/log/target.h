// One place that log lines go to. Private to this folder: others hold a Target without looking
// inside.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "base/log_target.h"

namespace postern::log {

class Target
{
public:
    virtual ~Target() = default;

    // `line` is whole, with its line feed. Called from any thread; never waits, never fails loudly.
    virtual void write(LogLevel level, std::string_view line) noexcept = 0;

    // Several whole lines, or what is left of them; for who can wait for a disk. Returns how many
    // bytes it took: the rest is for later.
    virtual std::size_t write_lines(LogLevel level, std::string_view lines) noexcept;
    // For messages: `"PATH"`, "syslog server HOST:PORT", "standard error".
    virtual std::string name() const = 0;

    // Only files do something here. `reopen` returns why it could not, or nothing.
    virtual std::string reopen() { return {}; }
    // Writes to this file from now on; it is duplicated. Returns why it could not, or nothing.
    virtual std::string replace(int) { return {}; }
    // What a file was opened as, and is written to by; another kind of target: -1.
    virtual int descriptor() const { return -1; }
    virtual void give_to(uid_t, gid_t) {}
};

std::expected<std::shared_ptr<Target>, std::string> open_target(const LogTarget& description);

}  // namespace postern::log
