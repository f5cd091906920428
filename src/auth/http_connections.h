#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/stream.h"

namespace postern::auth {

// A connection to an authentication service.
struct HttpConnection {
    std::unique_ptr<net::Stream> stream;
    SocketAddress address;
    std::string server;  // the same, as log lines have it
    bool is_reused = false;
};

// The connections to one service that wait for their next request, on one event loop.
class HttpConnections
{
public:
    // One that has waited longer is closed: most services would have closed it by then.
    static constexpr std::chrono::seconds kLongestIdle{60};

    HttpConnections();
    ~HttpConnections();

    // One that is still open, or none.
    std::optional<HttpConnection> take();
    // Keeps it, unless `limit` wait already.
    void give(HttpConnection connection, unsigned limit);

    std::size_t size() const { return idle_.size(); }

private:
    class Reaper;
    struct Idle {
        HttpConnection connection;
        net::Clock::time_point since;
    };

    void reap(net::Clock::time_point now);

    std::vector<Idle> idle_;  // the longest idle first
    std::unique_ptr<Reaper> reaper_;
};

}  // namespace postern::auth
