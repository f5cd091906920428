#include "net/dns_channel.h"

#include <arpa/nameser.h>

#include <new>
#include <system_error>

namespace postern::net {

namespace {

constexpr int kAttemptMilliseconds = 2000;  // doubled when all servers were asked
constexpr int kAttempts = 4;

}  // namespace

// A descriptor of c-ares in our loop.
class DnsChannel::Socket final : public Watcher
{
public:
    Socket(DnsChannel& owner, ares_socket_t descriptor) : owner_(owner), descriptor_(descriptor)
    {
        owner_.loop_.add(descriptor, *this, 0);
    }

    // Before c-ares closes the descriptor: its number may be another socket's the next moment.
    void leave() { owner_.loop_.remove(descriptor_, *this); }

    void want(bool readable, bool writable)
    {
        owner_.loop_.modify(
            descriptor_, *this,
            (readable ? std::uint32_t{EPOLLIN} : 0u) | (writable ? std::uint32_t{EPOLLOUT} : 0u));
    }

    std::unique_ptr<Socket> next_closed;

private:
    void on_ready(std::uint32_t events) override
    {
        const bool error = (events & (EPOLLERR | EPOLLHUP)) != 0;
        owner_.process(error || (events & EPOLLIN) != 0 ? descriptor_ : ARES_SOCKET_BAD,
                       error || (events & EPOLLOUT) != 0 ? descriptor_ : ARES_SOCKET_BAD);
    }

    DnsChannel& owner_;
    ares_socket_t descriptor_;
};

// Fires when c-ares wants to ask again.
class DnsChannel::Retry final : public Timer
{
public:
    Retry(DnsChannel& owner, Loop& loop) : Timer(loop), owner_(owner) {}

private:
    void on_expiry() override { owner_.process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); }
    DnsChannel& owner_;
};

DnsChannel::DnsChannel(Loop& loop, const std::vector<SocketAddress>& servers, Failures failures)
    : loop_(loop), retry_(std::make_unique<Retry>(*this, loop))
{
    ares_options options{};
    options.timeout = kAttemptMilliseconds;
    options.tries = kAttempts;
    options.flags = ARES_FLAG_NOALIASES;  // $HOSTALIASES is none of ours
    if (failures == Failures::tell) {
        options.flags |= ARES_FLAG_NOCHECKRESP;
    }
    options.sock_state_cb = on_socket;
    options.sock_state_cb_data = this;
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_FLAGS | ARES_OPT_SOCK_STATE_CB;
    if (!servers.empty()) {
        mask |= ARES_OPT_ROTATE;
    }
    int status = ares_init_options(&channel_, &options, mask);
    if (status == ARES_SUCCESS && !servers.empty()) {
        std::string list;
        for (const SocketAddress& server : servers) {
            list += (list.empty() ? "" : ",") + server.text();
        }
        status = ares_set_servers_ports_csv(channel_, list.c_str());
    }
    if (status != ARES_SUCCESS) {
        throw std::system_error(std::make_error_code(std::errc::not_enough_memory),
                                ares_strerror(status));
    }
}

DnsChannel::~DnsChannel()
{
    ares_destroy(channel_);
}

void DnsChannel::ask(const std::string& name, DnsType type, Names names, Answered answered)
{
    auto* const argument = new Answered(std::move(answered));
    const auto callback = [](void* owned, int status, int, unsigned char* answer, int size) {
        const std::unique_ptr<Answered> waiting(static_cast<Answered*>(owned));
        if (status != ARES_EDESTRUCTION) {
            (*waiting)(status, {reinterpret_cast<const char*>(answer),
                                answer == nullptr ? 0 : static_cast<std::size_t>(size)});
        }
    };
    const int number = static_cast<int>(type);
    if (names == Names::searched) {
        ares_search(channel_, name.c_str(), ns_c_in, number, callback, argument);
    } else {
        ares_query(channel_, name.c_str(), ns_c_in, number, callback, argument);
    }
    arm();
}

// Called by c-ares, which nothing may be thrown to. A socket that there is no memory for is never
// heard of: the question times out.
void DnsChannel::on_socket(void* self, ares_socket_t descriptor, int readable, int writable)
{
    auto& channel = *static_cast<DnsChannel*>(self);
    if (readable == 0 && writable == 0) {
        channel.forget(descriptor);
        return;
    }
    try {
        auto& socket = channel.sockets_[descriptor];
        if (!socket) {
            socket = std::make_unique<Socket>(channel, descriptor);
        }
        socket->want(readable != 0, writable != 0);
    } catch (const std::bad_alloc&) {
        channel.forget(descriptor);
    }
}

// It may be the very socket whose event is being handled.
void DnsChannel::forget(ares_socket_t descriptor)
{
    const auto found = sockets_.find(descriptor);
    if (found == sockets_.end()) {
        return;
    }
    if (std::unique_ptr<Socket> socket = std::move(found->second)) {
        socket->leave();
        socket->next_closed = std::move(closed_);
        closed_ = std::move(socket);
    }
    sockets_.erase(found);
}

void DnsChannel::process(ares_socket_t readable, ares_socket_t writable)
{
    ares_process_fd(channel_, readable, writable);
    closed_.reset();
    arm();
}

void DnsChannel::arm()
{
    timeval buffer{};
    if (const timeval* left = ares_timeout(channel_, nullptr, &buffer)) {
        retry_->arm(std::chrono::seconds(left->tv_sec) + std::chrono::microseconds(left->tv_usec) +
                    std::chrono::milliseconds(1));
    } else {
        retry_->disarm();
    }
}

}  // namespace postern::net
