#include "auth/users_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/secret.h"

namespace postern::auth {

namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

// The clock of a file system may tick this slowly: a file that was changed more recently may change
// again without showing it.
constexpr nanoseconds kCoarsestTick = std::chrono::milliseconds(100);

nanoseconds to_nanoseconds(const timespec& time)
{
    return seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
}

nanoseconds time_of_day()
{
    return std::chrono::system_clock::now().time_since_epoch();
}

class Descriptor
{
public:
    explicit Descriptor(int number) : number_(number) {}
    ~Descriptor()
    {
        if (number_ >= 0) {
            close(number_);
        }
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int number() const { return number_; }

private:
    int number_;
};

}  // namespace

UsersFile::UsersFile(std::string path, log::Logger logger,
                     std::chrono::steady_clock::duration check_interval)
    : path_(std::move(path)), logger_(std::move(logger)), check_interval_(check_interval)
{
}

std::expected<std::shared_ptr<const PasswdFile>, std::string> UsersFile::users()
{
    {
        // While one thread reads a changed file, the others go on with the users they have.
        std::unique_lock refreshing(refresh_mutex_, std::defer_lock);
        if (!has_users()) {
            refreshing.lock();
        }
        if (refreshing.owns_lock() || refreshing.try_lock()) {
            refresh();
        }
    }
    const std::lock_guard lock(mutex_);
    if (!users_) {
        return std::unexpected(failure_);
    }
    return users_;
}

bool UsersFile::has_users()
{
    const std::lock_guard lock(mutex_);
    return users_ != nullptr;
}

UsersFile::Stamp UsersFile::stamp_of(const struct stat& status)
{
    return {.device = status.st_dev,
            .inode = status.st_ino,
            .size = status.st_size,
            .modified = to_nanoseconds(status.st_mtim),
            .changed = to_nanoseconds(status.st_ctim)};
}

void UsersFile::refresh()
{
    const auto now = std::chrono::steady_clock::now();
    if (now < next_check_) {
        return;
    }
    next_check_ = now + check_interval_;

    struct stat status;
    if (stat(path_.c_str(), &status) == 0 && settled_ && read_stamp_ == stamp_of(status)) {
        reported_failure_.clear();
        return;
    }
    // O_NONBLOCK: a FIFO has no end that it would be worth to wait for.
    const Descriptor file(open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (file.number() < 0) {
        return fail(fmt::format("open() \"{}\" failed{}", path_, log::errno_text(errno)));
    }
    if (fstat(file.number(), &status) != 0) {
        return fail(fmt::format("fstat() \"{}\" failed{}", path_, log::errno_text(errno)));
    }
    if (!S_ISREG(status.st_mode)) {
        return fail(fmt::format("\"{}\" is not a regular file", path_));
    }
    const Stamp stamp = stamp_of(status);
    auto text = read(file.number(), status);
    if (!text) {
        return fail(std::move(text.error()));
    }
    struct stat after;
    settled_ = fstat(file.number(), &after) == 0 && stamp_of(after) == stamp &&
               time_of_day() - std::max(stamp.modified, stamp.changed) > kCoarsestTick;
    accept(std::move(*text), stamp);
}

std::expected<std::string, std::string> UsersFile::read(int descriptor,
                                                        const struct stat& status) const
{
    const auto too_large = [this] {
        return std::unexpected(fmt::format(
            "\"{}\" is larger than {} bytes, the most for a users file", path_, kFileMaxBytes));
    };
    if (std::cmp_greater(status.st_size, kFileMaxBytes)) {
        return too_large();
    }
    // If it has grown meanwhile, that shows afterwards and it is read again at the next look.
    std::string text(static_cast<std::size_t>(status.st_size), '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const ssize_t count = ::read(descriptor, text.data() + size, text.size() - size);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            const int error = errno;
            wipe(text.data(), text.size());
            return std::unexpected(
                fmt::format("read() \"{}\" failed{}", path_, log::errno_text(error)));
        }
        if (count == 0) {
            break;  // it shrank
        }
        size += static_cast<std::size_t>(count);
    }
    text.resize(size);
    return text;
}

void UsersFile::accept(std::string text, const Stamp& stamp)
{
    std::shared_ptr<const PasswdFile> users =
        std::make_shared<const PasswdFile>(PasswdFile::parse(text));
    wipe(text.data(), text.size());
    if (read_stamp_ != stamp) {
        report(*users);
    }
    read_stamp_ = stamp;
    reported_failure_.clear();
    const std::lock_guard lock(mutex_);
    users_.swap(users);
}

void UsersFile::report(const PasswdFile& users) const
{
    for (const PasswdFile::Problem& problem : users.problems()) {
        logger_.line(LogLevel::error, "{}:{}: {}; the line is skipped", path_, problem.line,
                     problem.reason);
    }
    if (users.problems_left_out() > 0) {
        logger_.line(LogLevel::error, "{}: {} more bad lines", path_, users.problems_left_out());
    }
    logger_.line(LogLevel::notice, "read \"{}\": {} users", path_, users.size());
}

// Without users every login logs the reason; with old ones it would go unnoticed.
void UsersFile::fail(std::string reason)
{
    settled_ = false;
    const bool has_old_users = has_users();
    if (has_old_users && reason != reported_failure_) {
        logger_.line(LogLevel::error, "{}; the users read before stay", reason);
        reported_failure_ = reason;
    }
    const std::lock_guard lock(mutex_);
    failure_ = std::move(reason);
}

}  // namespace postern::auth
