#include "limit/auth_failures.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/text.h"
#include "tls/shared_memory.h"

namespace postern::limit {

namespace {

// Some 65,000 addresses, names, and names at an address; 262,000 names at a network. Pages that
// nobody has needed take no memory.
constexpr std::size_t kCountBuckets = 8 * 1024;
constexpr std::size_t kPairBuckets = 16 * 1024;
constexpr std::size_t kHomeBuckets = 32 * 1024;

// A delay doubles with each failure, so often.
constexpr unsigned kDoublings = 4;

// Bytes of an address that count: an IPv4 host and its /24, an IPv6 /64 and its /48.
struct Bytes {
    std::array<char, 9> bytes{};  // the first one keeps the families apart
    std::size_t host = 1;
    std::size_t network = 1;
};

Bytes bytes_of(const SocketAddress& client)
{
    Bytes result;
    if (client.family() == AF_INET) {
        result = {{'4'}, 5, 4};
        std::memcpy(&result.bytes[1], &client.ipv4().sin_addr, 4);
    } else if (client.family() == AF_INET6) {
        const in6_addr& address = client.ipv6().sin6_addr;
        const bool is_mapped = IN6_IS_ADDR_V4MAPPED(&address);
        result = is_mapped ? Bytes{{'4'}, 5, 4} : Bytes{{'6'}, 9, 7};
        std::memcpy(&result.bytes[1], &address.s6_addr[is_mapped ? 12 : 0], result.host - 1);
    }
    return result;
}

// Of two hashes that nobody knows, one that nobody knows.
std::uint64_t mix(std::uint64_t first, std::uint64_t second)
{
    std::uint64_t mixed = (first ^ std::rotl(second, 23)) * 0xff51afd7ed558ccd;
    mixed ^= mixed >> 32;
    mixed *= 0xc4ceb9fe1a85ec53;
    return mixed ^ mixed >> 29;
}

bool is_on(const config::AuthFailureLimit& limit)
{
    return limit.most > 0;
}

// What holds for a name at an address.
const config::AuthFailureLimit& pair_limit(AuthFailures::Limits limits)
{
    return is_on(limits.address) ? limits.address : limits.user;
}

std::chrono::milliseconds delay_after(unsigned failures, const config::AuthFailureLimit& limit)
{
    return limit.delay * (1U << std::min(std::max(failures, 1U) - 1, kDoublings));
}

}  // namespace

struct AuthFailures::Memory {
    std::array<Bucket, kCountBuckets> by_address;
    std::array<Bucket, kCountBuckets> by_user;
    std::array<Bucket, kPairBuckets> by_pair;
    std::array<Bucket, kHomeBuckets> homes;
};

std::shared_ptr<AuthFailures> AuthFailures::make()
{
    void* const memory = tls::map_shared(sizeof(Memory));
    return memory == nullptr
               ? nullptr
               : std::shared_ptr<AuthFailures>(new AuthFailures(static_cast<Memory*>(memory)));
}

AuthFailures::AuthFailures(Memory* memory)
    : memory_(memory),
      names_(SipHash::random_key()),
      addresses_(SipHash::random_key()),
      by_address_(memory->by_address, FailureCounts::Keeps::counts),
      by_user_(memory->by_user, FailureCounts::Keeps::counts),
      by_pair_(memory->by_pair, FailureCounts::Keeps::guesses_too),
      homes_(memory->homes)
{
}

AuthFailures::~AuthFailures()
{
    tls::unmap_shared(memory_, sizeof(Memory));
}

AuthFailures::Attempt AuthFailures::attempt(const SocketAddress& client, std::string_view login,
                                            std::string_view secret) const
{
    Attempt attempt;
    const Bytes bytes = bytes_of(client);
    attempt.address = addresses_({bytes.bytes.data(), bytes.host});
    const std::uint64_t network = addresses_({bytes.bytes.data(), bytes.network});
    const bool has_upper_case = std::ranges::any_of(login, [](char c) { return c != to_lower(c); });
    attempt.user = login.empty() ? 0 : has_upper_case ? names_(to_lower(login)) : names_(login);
    attempt.pair = mix(attempt.address, attempt.user);
    attempt.network = mix(network, attempt.user);
    attempt.guess = static_cast<std::uint16_t>(names_(secret) >> 48 | 1);  // 0 is none
    return attempt;
}

AuthFailures::Refused AuthFailures::refused(const Attempt& attempt, Limits limits, Time now) const
{
    const bool address =
        is_on(limits.address) && by_address_.is_full(attempt.address, limits.address, now);
    const bool user =
        is_on(limits.user) && attempt.user != 0 && by_user_.is_full(attempt.user, limits.user, now);
    if (!address && !user) {
        return Refused::no;
    }
    if (is_at_home(attempt, now) && !by_pair_.is_full(attempt.pair, pair_limit(limits), now)) {
        return Refused::no;
    }
    return address ? Refused::by_address : Refused::by_user;
}

std::chrono::milliseconds AuthFailures::failed(const Attempt& attempt, Limits limits, Time now)
{
    const bool is_repeated = by_pair_.is_repeated(attempt.pair, attempt.guess);
    const auto count = [&](FailureCounts& counts, std::uint64_t hash,
                           const config::AuthFailureLimit& limit) {
        return is_repeated ? FailureCounts::rounded_up(counts.sixteenths(hash, limit, now))
                           : counts.add(hash, limit, now);
    };
    const config::AuthFailureLimit& for_pair = pair_limit(limits);
    if (!is_on(for_pair)) {
        return {};
    }
    const unsigned of_pair = count(by_pair_, attempt.pair, for_pair);
    if (!is_repeated) {
        by_pair_.note_guess(attempt.pair, attempt.guess);
    }
    std::chrono::milliseconds delay{};
    if (is_on(limits.address)) {
        delay = delay_after(count(by_address_, attempt.address, limits.address), limits.address);
    }
    if (is_on(limits.user) && attempt.user != 0) {
        delay =
            std::max(delay, delay_after(count(by_user_, attempt.user, limits.user), limits.user));
    }
    return is_at_home(attempt, now) ? delay_after(of_pair, for_pair) : delay;
}

void AuthFailures::succeeded(const Attempt& attempt, Limits limits, Time now)
{
    const config::AuthFailureLimit& for_pair = pair_limit(limits);
    if (!is_on(for_pair)) {
        return;
    }
    if (const unsigned own = by_pair_.sixteenths(attempt.pair, for_pair, now); own > 0) {
        by_pair_.take_back(attempt.pair, own, for_pair, now);
        if (is_on(limits.address)) {
            by_address_.take_back(attempt.address, own, limits.address, now);
        }
        if (is_on(limits.user) && attempt.user != 0) {
            by_user_.take_back(attempt.user, own, limits.user, now);
        }
    }
    if (attempt.user != 0) {
        homes_.note(attempt.network, now);
    }
}

bool AuthFailures::is_at_home(const Attempt& attempt, Time now) const
{
    return attempt.user != 0 && homes_.has(attempt.network, now);
}

}  // namespace postern::limit
