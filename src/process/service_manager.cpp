#include "process/service_manager.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "base/text.h"

namespace postern::process {

namespace {

// "/path", or "@name" of the abstract namespace; others there are none of.
std::optional<SocketAddress> parse_address(std::string_view text)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (text.size() < 2 || text.size() >= sizeof address.sun_path ||
        (text[0] != '/' && text[0] != '@')) {
        return std::nullopt;
    }
    std::memcpy(address.sun_path, text.data(), text.size());
    if (text[0] == '@') {
        address.sun_path[0] = '\0';
    }
    return SocketAddress::from(
        reinterpret_cast<const sockaddr*>(&address),
        static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size()));
}

std::string_view variable(const char* name)
{
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

std::optional<std::chrono::microseconds> read_watchdog()
{
    const std::string_view process = variable("WATCHDOG_PID");
    if (!process.empty() && parse_number<unsigned>(process) != static_cast<unsigned>(getpid())) {
        return std::nullopt;  // meant for another process
    }
    constexpr std::chrono::microseconds kLongest = std::chrono::hours(24);
    const auto microseconds = parse_number<std::uint64_t>(variable("WATCHDOG_USEC"));
    if (!microseconds || *microseconds == 0) {
        return std::nullopt;
    }
    return std::min(std::chrono::microseconds(*microseconds & INT64_MAX), kLongest);
}

}  // namespace

ServiceManager::ServiceManager()
{
    const auto address = parse_address(variable("NOTIFY_SOCKET"));
    if (!address) {
        return;
    }
    address_ = *address;
    socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    watchdog_ = read_watchdog();
}

ServiceManager::~ServiceManager()
{
    if (socket_ >= 0) {
        ::close(socket_);
    }
}

void ServiceManager::ready() const
{
    say(fmt::format("READY=1\nSTATUS=Serving\nMAINPID={}", ::getpid()));
}

void ServiceManager::reloading() const
{
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    say(fmt::format("RELOADING=1\nSTATUS=Reading the configuration\nMONOTONIC_USEC={}",
                    static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 +
                        static_cast<std::uint64_t>(now.tv_nsec) / 1000));
}

void ServiceManager::stopping() const
{
    say("STOPPING=1\nSTATUS=Shutting down");
}

void ServiceManager::alive() const
{
    say("WATCHDOG=1");
}

void ServiceManager::say(std::string_view text) const
{
    if (socket_ >= 0) {
        ::sendto(socket_, text.data(), text.size(), MSG_NOSIGNAL, address_.data(), address_.size());
    }
}

}  // namespace postern::process
