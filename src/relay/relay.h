#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "net/deadline.h"
#include "net/stream.h"
#include "relay/direction.h"

namespace postern::relay {

enum class End : unsigned char {
    closed_by_client,
    closed_by_upstream,
    client_failed,    // reset, or gone
    upstream_failed,  // reset, or gone
    timed_out,        // nothing moved for `idle`
    shut_down,        // the event loop is about to stop
    out_of_memory     // some of what was to be moved is lost
};

struct Result {
    End end = End::closed_by_client;
    std::uint64_t bytes_from_client = 0;  // that reached the backend
    std::uint64_t bytes_to_client = 0;    // that reached the client
};

// Bytes both ways until both sides have closed, one is dead, or nothing has moved for `idle`. A
// side that closes has its last bytes delivered and the other's answers passed on: each end is
// passed on by itself (half-close), and what remains then has at most kHalfClosedLimit of silence.
//
// A session that idles is little else than this object, so it is small, and no coroutine:
//
//     while (relay.pump()) {
//         relay::Relay::Pause pause = relay.pause();
//         co_await pause;
//     }
class Relay
{
public:
    static constexpr std::chrono::seconds kHalfClosedLimit{10};

    // `from_client` and `from_backend` are what was read from each before: they go first.
    Relay(std::unique_ptr<net::Stream> client, std::unique_ptr<net::Stream> backend,
          std::chrono::milliseconds idle, std::string from_client, std::string from_backend);

    // Moves what can be moved now. False: it is over.
    bool pump();
    // Closes both connections.
    void close();
    // `pump` or a pause has thrown std::bad_alloc.
    void fail_without_memory() { end_ = End::out_of_memory; }
    Result result() const { return {end_, up_.bytes(), down_.bytes()}; }

    // Until there may be something to move, or the silence has lasted too long.
    class Pause
    {
    public:
        explicit Pause(Relay& relay) : relay_(relay) {}
        bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<> self) const { relay_.wait(self); }
        void await_resume() const { relay_.wake(); }

    private:
        Relay& relay_;
    };
    Pause pause() { return Pause(*this); }
    const net::Loop& loop() const { return deadline_.loop(); }

private:
    void wait(std::coroutine_handle<> waiter);
    void wake();

    std::unique_ptr<net::Stream> client_;
    std::unique_ptr<net::Stream> backend_;
    Direction up_;
    Direction down_;
    net::Deadline deadline_;
    std::chrono::milliseconds idle_;
    std::uint64_t moved_before_ = 0;  // when the deadline was set
    End end_ = End::closed_by_client;
    bool half_closed_ = false;
    bool busy_ = false;  // had its share of this turn; there is more
};

}  // namespace postern::relay
