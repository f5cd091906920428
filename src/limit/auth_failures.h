#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/address.h"
#include "base/siphash.h"
#include "config/settings.h"
#include "limit/failure_counts.h"
#include "limit/home_networks.h"

namespace postern::limit {

// Failed logins, for "limit_auth_failures": counted for each client address and each user name, in
// memory of fixed size that the master makes, so that all event loops share them and reloads keep
// them.
//
// Nobody may be able to lock others out by guessing at their names, or beside them. So it is also
// kept who has logged in from where: for a user who comes from a network where that name has logged
// in lately, only that user's own failures there count.
//
// Any thread may call it. Nothing here waits, allocates or fails.
class AuthFailures
{
public:
    // Null if the system has no such memory.
    static std::shared_ptr<AuthFailures> make();
    ~AuthFailures();
    AuthFailures(const AuthFailures&) = delete;
    AuthFailures& operator=(const AuthFailures&) = delete;

    struct Limits {
        const config::AuthFailureLimit& address;
        const config::AuthFailureLimit& user;
    };

    // Who wants to log in, as numbers that mean nothing without our key.
    struct Attempt {
        std::uint64_t address = 0;
        std::uint64_t user = 0;     // 0: no name was said
        std::uint64_t pair = 0;     // that name from that address
        std::uint64_t network = 0;  // that name from that network
        std::uint16_t guess = 0;
    };
    // IPv6 clients count by /64; upper and lower case of names are the same. `secret`: the password
    // or digest. To try the same again is no new guess: many programs do that whose user has
    // changed the password.
    Attempt attempt(const SocketAddress& client, std::string_view login,
                    std::string_view secret) const;

    enum class Refused : unsigned char { no, by_address, by_user };
    // May it not be tried at all? Also to be asked when a login has succeeded: else whoever tries
    // many passwords at once would learn of more than the limit allows.
    Refused refused(const Attempt& attempt, Limits limits, Time now) const;
    // It has failed: how long the answer is to be held back.
    std::chrono::milliseconds failed(const Attempt& attempt, Limits limits, Time now);
    // It has succeeded. The user's own failures at this address are taken back, but not what
    // somebody has guessed at other names from here, or at this name from elsewhere.
    void succeeded(const Attempt& attempt, Limits limits, Time now);

private:
    struct Memory;
    explicit AuthFailures(Memory* memory);

    bool is_at_home(const Attempt& attempt, Time now) const;

    Memory* memory_;  // shared between processes
    SipHash names_;
    SipHash addresses_;
    FailureCounts by_address_;
    FailureCounts by_user_;
    FailureCounts by_pair_;
    HomeNetworks homes_;
};

}  // namespace postern::limit
