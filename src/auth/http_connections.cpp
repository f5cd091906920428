#include "auth/http_connections.h"

#include <utility>

namespace postern::auth {

class HttpConnections::Reaper final : public net::Timer
{
public:
    Reaper(HttpConnections& owner, net::Loop& loop) : Timer(loop), owner_(owner) {}

private:
    void on_expiry() override { owner_.reap(loop().now()); }
    HttpConnections& owner_;
};

HttpConnections::HttpConnections() = default;
HttpConnections::~HttpConnections() = default;

std::optional<HttpConnection> HttpConnections::take()
{
    while (!idle_.empty()) {
        HttpConnection connection = std::move(idle_.back().connection);
        idle_.pop_back();
        char byte;
        // The service may have closed it meanwhile, or said something that nobody asked for.
        if (connection.stream->read({&byte, 1}).status == net::Io::Status::would_block) {
            connection.is_reused = true;
            return connection;
        }
    }
    return std::nullopt;
}

void HttpConnections::give(HttpConnection connection, unsigned limit)
{
    if (idle_.size() >= limit) {
        return;
    }
    net::Loop& loop = connection.stream->loop();
    if (!reaper_) {
        reaper_ = std::make_unique<Reaper>(*this, loop);
    }
    if (idle_.empty()) {
        reaper_->arm(kLongestIdle);
    }
    idle_.push_back({std::move(connection), loop.now()});
}

void HttpConnections::reap(net::Clock::time_point now)
{
    std::erase_if(idle_, [now](const Idle& idle) {
        return idle.since + kLongestIdle <= now || idle.connection.stream->hung_up();
    });
    if (!idle_.empty()) {
        reaper_->arm(idle_.front().since + kLongestIdle);
    }
}

}  // namespace postern::auth
