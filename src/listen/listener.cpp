#include "listen/listener.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <new>
#include <utility>

namespace postern::listen {

namespace {

// Connections taken in a row, even if more wait, before the sessions have their turn again.
constexpr int kAcceptsInARow = 64;
// And as many when no more are wanted, which are all that a queue mostly holds.
constexpr int kAcceptsAtTheEnd = 4096;
// NGINX: accept_mutex_delay. After the descriptors ran out, some time for others to give theirs
// back.
constexpr std::chrono::milliseconds kPauseWithoutDescriptors{500};
// Until one that makes way has gone.
constexpr std::chrono::milliseconds kPauseForOneThatGoes{5};

}  // namespace

Listener::Listener(net::Loop& loop, int descriptor, std::string name, log::Logger logger,
                   Accepts accepts, OnAccept on_accept, OnFull on_full)
    : Timer(loop),
      descriptor_(descriptor),
      name_(std::move(name)),
      logger_(std::move(logger)),
      on_accept_(std::move(on_accept)),
      on_full_(std::move(on_full)),
      accepts_(accepts)
{
    watch();
}

Listener::~Listener()
{
    if (watching_) {
        loop().remove(descriptor_, *this);
    }
}

void Listener::watch()
{
    // Level-triggered: what is left in the queue wakes a loop again.
    watching_ = loop().add(descriptor_, *this, EPOLLIN | EPOLLEXCLUSIVE) == 0;
    if (!watching_) {
        arm(kPauseWithoutDescriptors);  // epoll_ctl(2): no memory, or too many watches
    }
}

void Listener::pause(std::chrono::milliseconds time)
{
    if (watching_) {
        loop().remove(descriptor_, *this);
        watching_ = false;
    }
    arm(time);
}

void Listener::finish()
{
    if (watching_) {
        loop().remove(descriptor_, *this);
        watching_ = false;
    }
    disarm();
    for (int i = 0; i < kAcceptsAtTheEnd && accept_one(); ++i) {
    }
    disarm();  // it may have paused
}

void Listener::on_ready(std::uint32_t)
{
    const int most = accepts_ == Accepts::many ? kAcceptsInARow : 1;
    for (int i = 0; i < most && accept_one(); ++i) {
    }
}

bool Listener::accept_one()
{
    sockaddr_storage storage;
    socklen_t size = sizeof storage;
    const int descriptor = accept4(descriptor_, reinterpret_cast<sockaddr*>(&storage), &size,
                                   SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) {
        switch (errno) {
        case EAGAIN:
            return false;
        case EINTR:
        case ECONNABORTED:  // it left the queue before we came
            return true;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
            logger_.line(LogLevel::crit, "accept4() failed{} while accepting new connection on {}",
                         log::errno_text(errno), name_);
            pause(on_full_() ? kPauseForOneThatGoes : kPauseWithoutDescriptors);
            return false;
        default:
            logger_.line(LogLevel::alert, "accept4() failed{} while accepting new connection on {}",
                         log::errno_text(errno), name_);
            return false;
        }
    }
    Descriptor owned(descriptor);
    try {
        if (loop().full() && !on_full_()) {
            logger_.line(LogLevel::alert,
                         "{} worker_connections are not enough while accepting new "
                         "connection on {}",
                         loop().connection_limit(), name_);
            return true;
        }
        on_accept_(std::move(owned),
                   SocketAddress::from(reinterpret_cast<const sockaddr*>(&storage), size));
    } catch (const std::bad_alloc&) {
        logger_.write_parts(LogLevel::crit,
                            {log::kOutOfMemory, " while accepting new connection on ", name_});
        pause(kPauseWithoutDescriptors);
        return false;
    }
    return true;
}

}  // namespace postern::listen
