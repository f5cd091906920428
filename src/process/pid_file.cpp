#include "process/pid_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "base/text.h"
#include "log/logger.h"

namespace postern::process {

namespace {

std::unexpected<std::string> failure(const std::string& call, const std::string& path)
{
    return std::unexpected(fmt::format("{} \"{}\" failed{}", call, path, log::errno_text(errno)));
}

std::expected<void, std::string> move(const std::string& from, const std::string& to)
{
    if (std::rename(from.c_str(), to.c_str()) != 0) {
        const int error = errno;
        return std::unexpected(
            fmt::format("rename() \"{}\" to \"{}\" failed{}", from, to, log::errno_text(error)));
    }
    return {};
}

// A device or a pipe, such as /dev/null, is written to and never replaced.
bool is_special(const std::string& path)
{
    struct stat status{};
    return ::lstat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
}

}  // namespace

std::expected<void, std::string> PidFile::write(pid_t pid) const
{
    const bool in_place = is_special(path_);
    const std::string fresh = in_place ? path_ : path_ + ".new";
    const int file = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0) {
        return failure("open()", path_);
    }
    const std::string text = fmt::format("{}\n", pid);
    const bool written =
        ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    const int error = errno;
    ::close(file);
    if (!written) {
        errno = error;
        return failure("write() to", path_);
    }
    return in_place ? std::expected<void, std::string>() : move(fresh, path_);
}

std::expected<pid_t, std::string> PidFile::read(const std::string& path)
{
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return failure("open()", path);
    }
    char buffer[32];
    const ssize_t size = ::read(file, buffer, sizeof buffer);
    ::close(file);
    const std::string_view text =
        trim({buffer, size > 0 ? static_cast<std::size_t>(size) : 0}, " \r\n");
    const auto pid = parse_number<unsigned>(text);
    if (!pid || *pid == 0 || *pid > 0x7fffffffu) {
        return std::unexpected(
            fmt::format("invalid PID number \"{}\" in \"{}\"", escape_for_log(text), path));
    }
    return static_cast<pid_t>(*pid);
}

void PidFile::remove() const
{
    if (!is_special(path_) || aside_) {
        ::unlink((aside_ ? old_path() : path_).c_str());
    }
}

std::expected<void, std::string> PidFile::step_aside()
{
    auto moved = move(path_, old_path());
    aside_ = moved.has_value();
    return moved;
}

std::expected<void, std::string> PidFile::step_back()
{
    auto moved = move(old_path(), path_);
    aside_ = !moved.has_value();
    return moved;
}

}  // namespace postern::process
