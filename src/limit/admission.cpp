#include "limit/admission.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace postern::limit {

namespace {

// Whose rates are known at a time: 2 MiB, if that many have come.
constexpr std::size_t kKnownRates = 256 * 1024;

// What is counted apart: a byte of each key.
constexpr char kSessions = 's';
constexpr char kNewcomers = 'n';
constexpr char kConnections = 'c';
constexpr char kHandshakes = 'h';

// The upper bytes of an address. IPv4 in IPv6 (RFC 4291 section 2.5.5.2) counts as IPv4; clients
// at UNIX sockets are all the same one.
std::string prefix_of(const SocketAddress& client, std::size_t ipv4_bytes, std::size_t ipv6_bytes)
{
    std::string text;
    if (client.family() == AF_INET) {
        text.resize(ipv4_bytes);
        std::memcpy(text.data(), &client.ipv4().sin_addr, ipv4_bytes);
    } else if (client.family() == AF_INET6) {
        const in6_addr& address = client.ipv6().sin6_addr;
        const bool is_mapped = IN6_IS_ADDR_V4MAPPED(&address) != 0;
        text.resize(is_mapped ? ipv4_bytes : ipv6_bytes);
        std::memcpy(text.data(), &address.s6_addr[is_mapped ? 12 : 0], text.size());
    }
    return text;
}

// One client: of IPv6 a /64, as that is what one has.
std::string address_of(const SocketAddress& client)
{
    return "a" + prefix_of(client, 4, 8);
}

// Its neighbours: /24, or /48 of IPv6.
std::string network_of(const SocketAddress& client)
{
    return "n" + prefix_of(client, 3, 6);
}

std::string key_of(const config::Rate& limit, std::string_view whose)
{
    return std::string(whose) + '/' + std::to_string(limit.per_1000_seconds) + '/' +
           std::to_string(limit.burst);
}

}  // namespace

Admission::Admission(std::size_t connections) : counts_(connections * 2), rates_(kKnownRates) {}

Admission::Turn Admission::turn(const config::MailServer& settings, const SocketAddress& client,
                                Clock::time_point now)
{
    Turn turn{.wait = std::chrono::milliseconds::zero(), .limit = {}};
    const auto hash_of = [&](const config::Rate& limit, const std::string& whose) {
        return hash_(kConnections + key_of(limit, whose));
    };
    const auto ask = [&](const config::Rate& limit, const std::string& whose,
                         std::string_view name) {
        if (limit.per_1000_seconds == 0 || !turn.wait) {
            return;
        }
        const auto wait = rates_.take(hash_of(limit, whose), limit, now);
        if (!wait || *wait > *turn.wait) {
            turn = {wait, name};
        }
    };
    const auto& [address, network] = settings.limit_conn_rate;
    ask(address, address_of(client), "limit_conn_rate address");
    const bool has_paid = address.per_1000_seconds > 0 && turn.wait;
    ask(network, network_of(client), "limit_conn_rate network");
    if (has_paid && !turn.wait) {  // for nothing: it is its neighbours who came too fast
        rates_.give_back(hash_of(address, address_of(client)), address);
    }
    return turn;
}

Admission::Turn Admission::handshake_turn(const config::MailServer& settings, Clock::time_point now)
{
    const config::Rate& limit = settings.limit_handshakes;
    if (limit.per_1000_seconds == 0) {
        return {.wait = std::chrono::milliseconds::zero(), .limit = {}};
    }
    return {rates_.take(hash_(kHandshakes + key_of(limit, "")), limit, now), "limit_handshakes"};
}

std::expected<Admission::Entered, std::string_view> Admission::enter(
    const config::MailServer& settings, const SocketAddress& client)
{
    const config::ConnLimits& session = settings.limit_conn;
    const config::ConnLimits& newcomer = settings.limit_newcomers;
    Entered entered;
    const auto take = [&](unsigned most, char kind, const std::string& whose,
                          LiveCounts::Place& place) {
        if (most == 0) {
            return true;
        }
        auto taken = counts_.enter(hash_(kind + whose), most);
        if (taken) {
            place = std::move(*taken);
        }
        return taken.has_value();
    };
    if (!take(session.address, kSessions, address_of(client), entered.as_session.address)) {
        return std::unexpected("limit_conn address");
    }
    if (!take(session.network, kSessions, network_of(client), entered.as_session.network)) {
        return std::unexpected("limit_conn network");
    }
    if (!take(newcomer.address, kNewcomers, address_of(client), entered.as_newcomer.address)) {
        return std::unexpected("limit_newcomers address");
    }
    if (!take(newcomer.network, kNewcomers, network_of(client), entered.as_newcomer.network)) {
        return std::unexpected("limit_newcomers network");
    }
    if (!take(session.total, kSessions, "t", entered.as_session.total)) {
        return std::unexpected(kSessionsOfAll);
    }
    if (!take(newcomer.total, kNewcomers, "t", entered.as_newcomer.total)) {
        return std::unexpected(kNewcomersOfAll);
    }
    return entered;
}

}  // namespace postern::limit
