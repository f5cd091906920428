// Lines of the error log, as NGINX writes them. Nothing here ever waits: a line that a full disk, a
// full pipe or a syslog daemon that is away can't take is lost, and the session goes on. Whoever
// runs this ignores SIGPIPE, as standard error may be a pipe whose reader has gone.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/log_target.h"

namespace postern::log {

class Target;

// Opens each target once, however many servers name it, and reopens the files on a signal. Made by
// the process, shared by all threads: lines are single writes, and reopening swaps the file under
// the same descriptor.
class Targets
{
public:
    Targets();
    ~Targets();

    // Returns the open target; on failure nothing, and `error` says why as NGINX does:
    // `open() "PATH" failed (2: No such file or directory)`. A syslog server need not be there yet.
    std::shared_ptr<Target> open(const LogTarget& description, std::string& error);
    // Opens all files anew, as after a rotation. One that can't be opened keeps its old file; the
    // reasons are returned.
    std::vector<std::string> reopen();
    // The files as they are open now, for another process that writes to them too.
    struct OpenFile {
        std::string path;
        int descriptor;
        std::shared_ptr<Target> target;  // keeps it open
    };
    std::vector<OpenFile> files();
    // Writes to `descriptor` (which is duplicated) what went to the file of that name; nothing did:
    // nothing happens. Returns why it could not, or nothing.
    std::string replace_file(std::string_view path, int descriptor);
    // Standard error goes to this file too from now on, if it is one of them, and follows it when
    // it is opened anew.
    void redirect_standard_error(std::string path);
    // Gives the files, and those that `reopen` will make, to this user, so that a worker without
    // privileges can reopen them. Devices and pipes stay whose they are.
    void give_to(unsigned uid, unsigned gid);

private:
    struct Entry;

    void redirect_standard_error();

    std::mutex mutex_;  // of open_; writing takes no lock
    std::vector<Entry> open_;
    std::string standard_error_path_;  // empty: it is left alone
};

// Where the lines of one server or of the process go. Cheap to copy; safe to use from any thread.
class Logger
{
public:
    struct Sink {
        std::shared_ptr<Target> target;
        LogLevel level;
    };

    Logger() = default;  // drops everything
    explicit Logger(std::vector<Sink> sinks);

    // Is anybody listening at this level? Ask before building a line that costs.
    bool enabled(LogLevel level) const { return sinks_ && level <= level_; }

    // The same targets, but for lines of all levels.
    Logger at_all_levels() const;

    // One line: "2026/11/23 10:00:00 [info] PID#TID: MESSAGE", or with "*NUMBER " before the
    // message if a connection number is given. Control characters in the message become \xNN, and
    // the line is cut at 2048 bytes: one event, one line.
    void write(LogLevel level, std::string_view message, std::uint64_t connection = 0) const
    {
        write_parts(level, {message}, connection);
    }
    // The same, of a message that is in pieces.
    void write_parts(LogLevel level, std::initializer_list<std::string_view> message,
                     std::uint64_t connection = 0) const;

    template <typename... Args>
    void line(LogLevel level, fmt::format_string<Args...> format, Args&&... args) const
    {
        if (enabled(level)) {
            write(level, fmt::format(format, std::forward<Args>(args)...));
        }
    }

private:
    std::shared_ptr<const std::vector<Sink>> sinks_;
    LogLevel level_ = LogLevel::emerg;  // the least severe that any sink takes
};

// What there is to say when nothing can be put together.
inline constexpr std::string_view kOutOfMemory = "out of memory (12: Cannot allocate memory)";

// " (110: Connection timed out)" for an errno value, as NGINX appends it.
std::string errno_text(int error);

}  // namespace postern::log
