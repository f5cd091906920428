// The service manager that has started us, if it wants to hear how we are: systemd and others that
// speak its protocol (sd_notify(3)). Its library would bring a dozen others into a process that
// strangers talk to; the protocol is one datagram of text.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/address.h"

namespace postern::process {

class ServiceManager
{
public:
    // From NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. Without them all calls do nothing.
    ServiceManager();
    ~ServiceManager();
    ServiceManager(const ServiceManager&) = delete;
    ServiceManager& operator=(const ServiceManager&) = delete;

    // This process is the service, and serves.
    void ready() const;
    void reloading() const;
    void stopping() const;
    void alive() const;

    // How often `alive` has to be said at least; nothing: never.
    std::optional<std::chrono::microseconds> watchdog() const { return watchdog_; }

private:
    void say(std::string_view text) const;

    int socket_ = -1;
    SocketAddress address_;
    std::optional<std::chrono::microseconds> watchdog_;
};

}  // namespace postern::process
