#pragma once

#include <sys/stat.h>

#include <chrono>
#include <cstddef>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "auth/passwd_file.h"
#include "log/logger.h"

namespace postern::auth {

// A users file on disk and what was read of it last. It is read anew once it has changed; a file
// that has gone or can't be read leaves the users as they were. Shared by all event loops of the
// process; its functions block, so only threads of the HashPool call them.
class UsersFile
{
public:
    static constexpr std::size_t kFileMaxBytes = 64 * 1024 * 1024;
    static constexpr std::chrono::seconds kCheckInterval{1};

    // What is wrong with the file goes to `logger`, once a change. It looks at the disk at most
    // once an interval.
    UsersFile(std::string path, log::Logger logger,
              std::chrono::steady_clock::duration check_interval = kCheckInterval);

    // The users as of now, or why there are none: `open() "PATH" failed (2: ...)`.
    std::expected<std::shared_ptr<const PasswdFile>, std::string> users();

    const std::string& path() const { return path_; }

private:
    // What tells one state of the file from another.
    struct Stamp {
        dev_t device = 0;
        ino_t inode = 0;
        off_t size = 0;
        std::chrono::nanoseconds modified{};
        std::chrono::nanoseconds changed{};  // the inode: renamed, linked, given away

        bool operator==(const Stamp&) const = default;
    };

    static Stamp stamp_of(const struct stat& status);
    void refresh();
    std::expected<std::string, std::string> read(int descriptor, const struct stat& status) const;
    void accept(std::string text, const Stamp& stamp);
    void report(const PasswdFile& users) const;
    void fail(std::string reason);
    bool has_users();

    const std::string path_;
    const log::Logger logger_;
    const std::chrono::steady_clock::duration check_interval_;

    std::mutex refresh_mutex_;  // of these four: one thread looks at the disk
    std::chrono::steady_clock::time_point next_check_{};
    std::optional<Stamp> read_stamp_;  // of what was read last
    bool settled_ = false;             // no later change can have the same stamp
    std::string reported_failure_;

    std::mutex mutex_;  // of these two, never held for long
    std::shared_ptr<const PasswdFile> users_;
    std::string failure_;  // why there are no users
};

}  // namespace postern::auth
