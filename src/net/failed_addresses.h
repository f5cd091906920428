#pragma once

#include <chrono>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/address.h"
#include "net/loop.h"

namespace postern::net {

// Which addresses could not be reached lately: they are tried after the others for a while. Without
// this a server that is switched off would cost each session the time in which it doesn't answer.
class FailedAddresses
{
public:
    static constexpr std::chrono::seconds kMemory{10};  // as NGINX's "fail_timeout"
    static constexpr std::size_t kMax = 1024;

    void add(const SocketAddress& address, Clock::time_point now);
    void remove(const SocketAddress& address);
    // Puts those that failed behind the others; the order is the same otherwise.
    void put_last(std::vector<SocketAddress>& addresses, Clock::time_point now) const;

private:
    std::unordered_map<std::string, Clock::time_point> until_;
};

}  // namespace postern::net
