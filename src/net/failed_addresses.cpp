#include "net/failed_addresses.h"

#include <utility>

namespace postern::net {

void FailedAddresses::add(const SocketAddress& address, Clock::time_point now)
{
    if (until_.size() >= kMax) {
        std::erase_if(until_, [now](const auto& item) { return item.second <= now; });
    }
    if (until_.size() < kMax) {
        until_[address.text()] = now + kMemory;
    }
}

void FailedAddresses::remove(const SocketAddress& address)
{
    if (!until_.empty()) {
        until_.erase(address.text());
    }
}

void FailedAddresses::put_last(std::vector<SocketAddress>& addresses, Clock::time_point now) const
{
    if (until_.empty()) {
        return;
    }
    std::vector<SocketAddress> good;
    std::vector<SocketAddress> bad;
    for (const SocketAddress& address : addresses) {
        const auto failed = until_.find(address.text());
        const bool is_good = failed == until_.end() || failed->second <= now;
        (is_good ? good : bad).push_back(address);
    }
    good.insert(good.end(), bad.begin(), bad.end());
    addresses = std::move(good);
}

}  // namespace postern::net
