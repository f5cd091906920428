// The event loops.
#include "config/directives/groups.h"
#include "config/peers.h"
#include "config/setters.h"

namespace postern::config {

namespace {

// NGINX has words of its own for this one.
Outcome worker_connections(Entry& entry)
{
    const auto count = parse_number<unsigned>(entry.argument(0));
    if (!count) {
        return std::unexpected(
            fmt::format("invalid number \"{}\" (a number is wanted)", entry.argument(0)));
    }
    entry.field(&Events::worker_connections) = *count;
    return {};
}

Outcome use(Entry& entry)
{
    if (entry.argument(0) != "epoll") {
        return std::unexpected(
            fmt::format("invalid event type \"{}\" (epoll is wanted)", entry.argument(0)));
    }
    return {};
}

Outcome debug_connection(Entry& entry)
{
    auto peers = read_peers(entry);
    if (!peers) {
        return std::unexpected(std::move(peers.error()));
    }
    std::ranges::move(*peers, std::back_inserter(entry.field(&Events::debug_connections)));
    return {};
}

// Each event loop has listening sockets of its own, so there is nothing to lock.
Outcome accept_mutex(Entry& entry)
{
    const auto value = parse_flag(entry, entry.argument(0));
    if (!value) {
        return std::unexpected(value.error());
    }
    if (*value) {
        entry.warn("\"accept_mutex\" directive has no effect in Postern");
    }
    return {};
}

constexpr Directive kDirectives[] = {
    {.name = "events",
     .where = kMain,
     .doc = "Holds the directives of this section. It may be missing.",
     .kind = Kind::block,
     .opens = kEvents},
    {.name = "worker_connections",
     .where = kEvents,
     .args = {1, 1},
     .set = worker_connections,
     .initial = "512",
     .syntax = "NUMBER",
     .doc = "How many connections an event loop may have, with clients, services and mailbox "
            "servers together."},
    {.name = "multi_accept",
     .where = kEvents,
     .args = {1, 1},
     .set = flag<&Events::multi_accept>,
     .initial = "off",
     .syntax = "on | off",
     .doc = "Whether all waiting clients are accepted at once, or one at a time."},
    {.name = "use",
     .where = kEvents,
     .args = {1, 1},
     .set = use,
     .initial = "epoll",
     .syntax = "epoll",
     .doc = "How the system is asked what happened. There is no other way than `epoll`."},
    {.name = "debug_connection",
     .where = kEvents,
     .args = {1, 1},
     .set = debug_connection,
     .syntax = "ADDRESS | ADDRESS/BITS | HOST | unix:",
     .default_text = "nobody",
     .doc = "Sessions of these clients are logged at level `debug`, to the logs that their server "
            "has, whatever the levels of these are. It is the address that connects which counts, "
            "not the one in a PROXY header.",
     .again = Again::adds},
    {.name = "accept_mutex",
     .where = kEvents,
     .args = {1, 1},
     .set = accept_mutex,
     .initial = "off",
     .syntax = "on | off",
     .doc = "`on` is accepted with a warning and has no effect."},
};

}  // namespace

std::span<const Directive> events_directives()
{
    return kDirectives;
}

}  // namespace postern::config
