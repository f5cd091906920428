#pragma once

#include <chrono>
#include <expected>
#include <optional>
#include <string_view>

#include "base/address.h"
#include "base/siphash.h"
#include "config/settings.h"
#include "limit/live_counts.h"
#include "limit/rates.h"

namespace postern::limit {

// Who may come in, and when: "limit_conn", "limit_newcomers", "limit_conn_rate" and
// "limit_handshakes", for all event loops of a worker together. Memory is made once and does not
// grow. Nothing here waits or fails.
class Admission
{
public:
    using Clock = Rates::Clock;

    // `connections`: as many as the worker may have.
    explicit Admission(std::size_t connections);

    // What a client has come up against, in the words of the configuration: "limit_conn address".
    struct Turn {
        std::optional<std::chrono::milliseconds> wait;  // nothing: it has to come again
        std::string_view limit;                         // empty: none
    };
    Turn turn(const config::MailServer& settings, const SocketAddress& client,
              Clock::time_point now);
    Turn handshake_turn(const config::MailServer& settings, Clock::time_point now);

    // Held for as long as it is counted.
    struct Places {
        LiveCounts::Place total;
        LiveCounts::Place address;
        LiveCounts::Place network;

        explicit operator bool() const { return total || address || network; }
    };
    struct Entered {
        Places as_newcomer;  // until the login
        Places as_session;   // to the end
    };
    // Or what is full: of all together only if nothing else is in the client's way.
    static constexpr std::string_view kSessionsOfAll = "limit_conn total";
    static constexpr std::string_view kNewcomersOfAll = "limit_newcomers total";
    std::expected<Entered, std::string_view> enter(const config::MailServer& settings,
                                                   const SocketAddress& client);

private:
    SipHash hash_{SipHash::random_key()};
    LiveCounts counts_;
    Rates rates_;
};

}  // namespace postern::limit
