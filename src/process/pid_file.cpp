#include "process/pid_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "log/logger.h"

namespace postern::process {

std::expected<void, std::string> write_pid_file(const std::string& path, pid_t pid)
{
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0) {
        return std::unexpected(fmt::format("open() \"{}\" failed{}", path, log::errno_text(errno)));
    }
    const std::string text = fmt::format("{}\n", pid);
    const bool written = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    const int error = errno;
    close(file);
    if (!written) {
        return std::unexpected(
            fmt::format("write() to \"{}\" failed{}", path, log::errno_text(error)));
    }
    return {};
}

std::expected<pid_t, std::string> read_pid_file(const std::string& path)
{
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return std::unexpected(fmt::format("open() \"{}\" failed{}", path, log::errno_text(errno)));
    }
    char buffer[32];
    const ssize_t size = read(file, buffer, sizeof buffer);
    close(file);
    const std::string_view text =
        trim({buffer, size > 0 ? static_cast<std::size_t>(size) : 0}, " \r\n");
    const auto pid = parse_number<unsigned>(text);
    if (!pid || *pid == 0 || *pid > 0x7fffffffu) {
        return std::unexpected(
            fmt::format("invalid PID number \"{}\" in \"{}\"", escape_for_log(text), path));
    }
    return static_cast<pid_t>(*pid);
}

}  // namespace postern::process
