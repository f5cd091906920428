#pragma once

#include <chrono>
#include <functional>

#include "base/address.h"
#include "base/descriptor.h"
#include "log/logger.h"
#include "net/loop.h"

namespace postern::listen {

// How many waiting clients are taken at a wake-up ("multi_accept"): one, which spreads them over
// the loops, or as many as there are, which costs fewer wake-ups.
enum class Accepts : unsigned char { one, many };

// Accepts connections on one listening socket for one event loop. Several loops may share the
// socket: the kernel wakes one of them a connection.
class Listener final : public net::Watcher, private net::Timer
{
public:
    // Gets a non-blocking descriptor to own, and the client's address. May throw std::bad_alloc.
    using OnAccept = std::function<void(Descriptor descriptor, const SocketAddress& client)>;
    // There is no connection left for the next client; true: there will be one soon.
    using OnFull = std::function<bool()>;

    // Does not own `descriptor`. `name` is the listening address as log lines have it.
    Listener(net::Loop& loop, int descriptor, std::string name, log::Logger logger, Accepts accepts,
             OnAccept on_accept, OnFull on_full);
    ~Listener();

    // Accepts no more, but for those who have come already: they could go unnoticed, as it was this
    // loop that was woken for them, and no other is for the same.
    void finish();

private:
    void on_ready(std::uint32_t events) override;
    void on_expiry() override { watch(); }
    void watch();
    void pause(std::chrono::milliseconds time);
    // False: there is no connection, or none can be had now.
    bool accept_one();

    int descriptor_;
    std::string name_;
    log::Logger logger_;
    OnAccept on_accept_;
    OnFull on_full_;
    Accepts accepts_;
    bool watching_ = false;
};

}  // namespace postern::listen
