#include "log/target.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <ctime>
#include <iterator>
#include <optional>
#include <utility>

#include "base/address.h"
#include "base/text.h"
#include "log/clock.h"
#include "log/logger.h"
#include "log/memory_log.h"

namespace postern::log {

namespace {

// A file. O_NONBLOCK is for names such as /dev/stdout that are a pipe in truth.
class File final : public Target
{
public:
    static std::expected<std::shared_ptr<Target>, std::string> open(const std::string& path)
    {
        const int descriptor = open_descriptor(path);
        if (descriptor < 0) {
            return std::unexpected(open_error(path));
        }
        return std::make_shared<File>(path, descriptor);
    }

    File(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
    ~File() override { ::close(descriptor_); }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    void write(LogLevel, std::string_view line) noexcept override
    {
        // NGINX: some file systems take long to find that they are full, so after ENOSPC ask them
        // only once a second.
        const std::time_t now = std::time(nullptr);
        if (full_at_.load(std::memory_order_relaxed) == now) {
            return;
        }
        if (::write(descriptor_, line.data(), line.size()) < 0 && errno == ENOSPC) {
            full_at_.store(now, std::memory_order_relaxed);
        }
    }

    std::size_t write_lines(LogLevel, std::string_view lines) noexcept override
    {
        const ssize_t bytes = ::write(descriptor_, lines.data(), lines.size());
        return bytes < 0 ? 0 : static_cast<std::size_t>(bytes);
    }

    std::string name() const override { return '"' + path_ + '"'; }

    std::string reopen() override
    {
        const int fresh = open_descriptor(path_);
        if (fresh < 0) {
            return open_error(path_);
        }
        if (owned_) {
            change_owner(fresh);
        }
        std::string error = replace(fresh);
        ::close(fresh);
        return error;
    }

    // Other threads may be writing this very moment: the number never stops being open.
    std::string replace(int fresh) override
    {
        const bool swapped = ::dup3(fresh, descriptor_, O_CLOEXEC) >= 0;
        return swapped ? "" : fmt::format("dup3() \"{}\" failed{}", path_, errno_text(errno));
    }

    int descriptor() const override { return descriptor_; }

    void give_to(uid_t uid, gid_t gid) override
    {
        owned_ = {uid, gid};
        change_owner(descriptor_);
    }

private:
    static int open_descriptor(const std::string& path)
    {
        return ::open(path.c_str(),
                      O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0644);
    }

    static std::string open_error(const std::string& path)
    {
        return fmt::format("open() \"{}\" failed{}", path, errno_text(errno));
    }

    // Fails without privileges, when the file is the user's own already or never will be.
    void change_owner(int descriptor) const
    {
        struct stat status{};
        if (::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode)) {
            [[maybe_unused]] const int ignored =
                ::fchown(descriptor, owned_->first, owned_->second);
        }
    }

    const std::string path_;
    const int descriptor_;
    std::optional<std::pair<uid_t, gid_t>> owned_;
    std::atomic<std::time_t> full_at_{-1};
};

class StandardError final : public Target
{
public:
    void write(LogLevel, std::string_view line) noexcept override
    {
        // Others share this descriptor, so it can't be made non-blocking. A pipe that polls
        // writable has room for PIPE_BUF bytes, more than a line.
        pollfd state{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
        if (::poll(&state, 1, 0) == 1 && (state.revents & POLLOUT) != 0) {
            [[maybe_unused]] const auto lost = ::write(STDERR_FILENO, line.data(), line.size());
        }
    }

    std::string name() const override { return "standard error"; }
};

// Datagrams to a syslog server, in the form of RFC 3164. The socket stays unconnected: a server
// that starts later, or again, gets what is sent from then on.
class Syslog final : public Target
{
public:
    static std::expected<std::shared_ptr<Target>, std::string> open(const LogTarget& description)
    {
        const auto server = find_server(description.path);
        if (!server) {
            return std::unexpected(server.error());
        }
        const int socket = ::socket(server->family(), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (socket < 0) {
            return std::unexpected("socket() failed" + errno_text(errno));
        }
        return std::make_shared<Syslog>(description, *server, socket);
    }

    Syslog(const LogTarget& description, const SocketAddress& server, int socket)
        : facility_(description.syslog_facility), server_(server), socket_(socket)
    {
        constexpr std::size_t kTagMax = 32;  // RFC 3164 section 4.1.3
        char host[256] = {};
        if (!description.syslog_nohostname && ::gethostname(host, sizeof(host) - 1) == 0) {
            origin_ = to_lower(std::string_view(host)) + ' ';
        }
        origin_ += description.syslog_tag.substr(0, kTagMax) + ": ";
    }
    ~Syslog() override { ::close(socket_); }
    Syslog(const Syslog&) = delete;
    Syslog& operator=(const Syslog&) = delete;

    void write(LogLevel level, std::string_view line) noexcept override
    {
        if (line.ends_with('\n')) {
            line.remove_suffix(1);
        }
        fmt::basic_memory_buffer<char, 2560> datagram;  // room for a line: no allocation
        fmt::format_to(std::back_inserter(datagram), "<{}>{} {}{}",
                       facility_ * 8 + static_cast<unsigned>(level), syslog_time(), origin_, line);
        ::sendto(socket_, datagram.data(), datagram.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                 server_.data(), server_.size());
    }

    std::string name() const override { return "syslog server " + server_.text(); }

private:
    // "unix:PATH", "HOST", "HOST:PORT", "[IPV6]:PORT". Waits for the resolver: only at start and
    // reload.
    static std::expected<SocketAddress, std::string> find_server(const std::string& text)
    {
        constexpr std::string_view kUnix = "unix:";
        constexpr std::size_t kUnixPathMax = sizeof(sockaddr_un::sun_path) - 1;
        if (text.starts_with(kUnix)) {
            const auto path = std::string_view(text).substr(kUnix.size());
            if (path.empty() || path.size() > kUnixPathMax) {
                return std::unexpected(
                    fmt::format("the path of syslog server \"{}\" must be of 1 to {} bytes", text,
                                kUnixPathMax));
            }
            return SocketAddress::unix_path(path);
        }
        std::string host = text;
        std::string port = "514";
        const auto colon = text.rfind(':');
        const bool bare_ipv6 = text.find(':') != colon && !text.starts_with('[');
        if (colon != std::string::npos && !bare_ipv6 && !text.ends_with(']')) {
            host = text.substr(0, colon);
            port = text.substr(colon + 1);
        }
        if (host.size() > 2 && host.starts_with('[') && host.ends_with(']')) {
            host = host.substr(1, host.size() - 2);
        }
        return resolve(text, host, port);
    }

    static std::expected<SocketAddress, std::string> resolve(const std::string& text,
                                                             const std::string& host,
                                                             const std::string& port)
    {
        addrinfo wanted{};
        wanted.ai_socktype = SOCK_DGRAM;
        wanted.ai_flags = AI_NUMERICSERV;
        addrinfo* found = nullptr;
        if (host.empty() || ::getaddrinfo(host.c_str(), port.c_str(), &wanted, &found) != 0) {
            return std::unexpected(fmt::format("host not found in syslog server \"{}\"", text));
        }
        const auto address = SocketAddress::from(found->ai_addr, found->ai_addrlen);
        ::freeaddrinfo(found);
        return address;
    }

    const unsigned facility_;
    const SocketAddress server_;
    const int socket_;
    std::string origin_;  // "HOST TAG: "
};

}  // namespace

std::size_t Target::write_lines(LogLevel level, std::string_view lines) noexcept
{
    const std::size_t bytes = lines.size();
    while (!lines.empty()) {
        const std::size_t end = std::min(lines.find('\n'), lines.size() - 1) + 1;
        write(level, lines.substr(0, end));
        lines.remove_prefix(end);
    }
    return bytes;
}

std::expected<std::shared_ptr<Target>, std::string> open_target(const LogTarget& description)
{
    switch (description.kind) {
    case LogTarget::Kind::file:
        return File::open(description.path);
    case LogTarget::Kind::standard_error:
        return std::make_shared<StandardError>();
    case LogTarget::Kind::syslog:
        return Syslog::open(description);
    case LogTarget::Kind::memory:
        return MemoryLog::open(description.path, description.memory_bytes);
    }
    std::unreachable();
}

}  // namespace postern::log
