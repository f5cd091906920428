#include "process/inheritance.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "base/text.h"
#include "log/logger.h"

namespace postern::process {

namespace {

constexpr int kFirstActivated = 3;      // sd_listen_fds(3)
constexpr int kActivatedMax = 1 << 16;  // more is no number of sockets

std::optional<std::string> take_variable(const char* name)
{
    const char* const value = std::getenv(name);
    if (value == nullptr) {
        return std::nullopt;
    }
    std::string result = value;
    ::unsetenv(name);
    return result;
}

// What is not a socket that listens is nothing that we could use.
std::expected<listen::Socket, std::string> adopt(int descriptor)
{
    int listens = 0;
    socklen_t size = sizeof listens;
    if (::getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0) {
        return std::unexpected(
            fmt::format("inherited descriptor {}: getsockopt(SO_ACCEPTCONN) failed{}", descriptor,
                        log::errno_text(errno)));
    }
    if (listens == 0) {
        return std::unexpected(
            fmt::format("inherited descriptor {} is not a listening socket", descriptor));
    }
    sockaddr_storage storage{};
    size = sizeof storage;
    if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
        return std::unexpected(fmt::format("inherited descriptor {}: getsockname() failed{}",
                                           descriptor, log::errno_text(errno)));
    }
    ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
    return listen::Socket(descriptor,
                          SocketAddress::from(reinterpret_cast<const sockaddr*>(&storage), size));
}

std::expected<void, std::string> take_from_older(std::string_view list, Inheritance& inheritance)
{
    while (!list.empty()) {
        const std::size_t end = list.find(';');
        std::string_view text = list.substr(0, end);
        const bool activated = text.ends_with(kActivatedMark);
        text.remove_suffix(activated ? 1 : 0);
        const auto number = parse_number<unsigned>(text);
        if (!number || *number > 0x7fffffffu || end == std::string_view::npos) {
            return std::unexpected(fmt::format("invalid {} environment variable near \"{}\"",
                                               kSocketsVariable, escape_for_log(list)));
        }
        auto socket = adopt(static_cast<int>(*number));
        if (!socket) {
            return std::unexpected(std::move(socket.error()));
        }
        socket->set_activated(activated);
        inheritance.sockets.push_back(std::move(*socket));
        list.remove_prefix(end + 1);
    }
    inheritance.older = ::getppid();
    return {};
}

std::expected<void, std::string> take_activated(std::string_view pid, std::string_view count,
                                                Inheritance& inheritance)
{
    const auto number = parse_number<unsigned>(count);
    if (parse_number<unsigned>(pid) != static_cast<unsigned>(::getpid()) || !number ||
        *number > kActivatedMax) {
        return {};  // meant for another process
    }
    for (int i = 0; i < static_cast<int>(*number); ++i) {
        auto socket = adopt(kFirstActivated + i);
        if (!socket) {
            return std::unexpected(std::move(socket.error()));
        }
        socket->set_activated();
        inheritance.sockets.push_back(std::move(*socket));
    }
    return {};
}

}  // namespace

std::expected<Inheritance, std::string> take_inheritance()
{
    Inheritance inheritance;
    const auto list = take_variable(kSocketsVariable);
    const auto pid = take_variable("LISTEN_PID");
    const auto count = take_variable("LISTEN_FDS");
    take_variable("LISTEN_FDNAMES");
    std::expected<void, std::string> taken;
    if (list) {
        taken = take_from_older(*list, inheritance);
    } else if (pid && count) {
        taken = take_activated(*pid, *count, inheritance);
    }
    if (!taken) {
        return std::unexpected(std::move(taken.error()));
    }
    return inheritance;
}

}  // namespace postern::process
