#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

#include "base/address.h"
#include "net/deadline.h"
#include "net/resolver.h"

namespace postern::net {

// The addresses of a server, tried in turn. All of them share what is left of one limit: each gets
// an equal part of it, but no more than a few seconds while there are others; the last one gets the
// rest. What came of each is remembered, for those who come next.
class Attempts
{
public:
    static constexpr std::chrono::seconds kPatience{5};

    // The resolver and the limit outlive this.
    Attempts(Resolver& resolver, Resolver::Addresses addresses, Deadline& limit)
        : resolver_(resolver), addresses_(std::move(addresses)), limit_(limit), share_(limit.loop())
    {
    }

    // False: none is left, or no time. Else the next one is `address`, and its time begins.
    bool next();
    const SocketAddress& address() const { return addresses_[tried_ - 1]; }
    // When its time is over.
    Deadline& deadline() { return tried_ == addresses_.size() ? limit_ : share_; }

    void has_failed() { resolver_.has_failed(address()); }
    void has_answered() { resolver_.has_answered(address()); }

private:
    Resolver& resolver_;
    Resolver::Addresses addresses_;
    Deadline& limit_;
    Deadline share_;
    std::size_t tried_ = 0;
};

}  // namespace postern::net
