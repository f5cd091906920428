#include "relay/relay.h"

#include "relay/direction.h"

namespace postern::relay {

namespace {

End end_of(const Direction& dead, bool from_client)
{
    return dead.source_failed() == from_client ? End::client_failed : End::upstream_failed;
}

}  // namespace

net::Task<Result> run(net::Stream& client, net::Stream& backend, std::chrono::milliseconds idle,
                      std::string from_client, std::string from_backend)
{
    Direction up(client, backend, std::move(from_client));
    Direction down(backend, client, std::move(from_backend));
    net::Deadline deadline(client.loop());
    deadline.end_with_loop();
    End end = End::closed_by_client;
    bool half_closed = false;
    std::uint64_t moved_before = 0;  // when the deadline was set
    using Outcome = Direction::Outcome;

    for (;;) {
        const Outcome up_outcome = up.pump(down.ended());
        const Outcome down_outcome =
            up_outcome == Outcome::failed ? Outcome::waiting : down.pump(up.ended());
        if (up_outcome == Outcome::failed || down_outcome == Outcome::failed) {
            // Whoever closed first has ended the session, however the other takes it.
            if (!half_closed) {
                end = up_outcome == Outcome::failed ? end_of(up, true) : end_of(down, false);
            }
            break;
        }
        if ((up.ended() || down.ended()) && !half_closed) {
            half_closed = true;
            end = up.ended() ? End::closed_by_client : End::closed_by_upstream;
            deadline.clear();
        }
        if (up.ended() && down.ended()) {
            break;
        }
        if (up_outcome == Outcome::busy || down_outcome == Outcome::busy) {
            co_await client.loop().next_turn();
            continue;
        }
        const std::uint64_t moved = up.bytes() + down.bytes();
        if (moved != moved_before || deadline.idle()) {
            moved_before = moved;
            const net::Clock::duration limit = half_closed ? kHalfClosedLimit : idle;
            deadline.set(std::min<net::Clock::duration>(limit, idle));
        }
        net::StreamEvent event(client, backend, deadline);
        if (!co_await event) {
            if (client.loop().ending()) {
                end = End::shut_down;
            } else if (!half_closed) {
                end = End::timed_out;
            }
            break;
        }
    }
    co_return Result{end, up.bytes(), down.bytes()};
}

}  // namespace postern::relay
