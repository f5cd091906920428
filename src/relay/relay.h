#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "net/stream.h"
#include "net/task.h"

namespace postern::relay {

enum class End : unsigned char {
    closed_by_client,
    closed_by_upstream,
    client_failed,    // reset, or gone
    upstream_failed,  // reset, or gone
    timed_out,        // nothing moved for `idle`
    shut_down         // the event loop is about to stop
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
// `from_client` and `from_backend` are what was read from each before: they go first.
constexpr std::chrono::seconds kHalfClosedLimit{10};

net::Task<Result> run(net::Stream& client, net::Stream& backend, std::chrono::milliseconds idle,
                      std::string from_client, std::string from_backend);

}  // namespace postern::relay
