#pragma once

#include <ares.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/address.h"
#include "net/dns_message.h"
#include "net/loop.h"

namespace postern::net {

// Asks DNS servers, through c-ares: without blocking the loop, each in turn until one answers, by
// TCP if the answer is too long for UDP.
class DnsChannel
{
public:
    enum class Failures : unsigned char {
        ask_the_next,  // a server that fails to answer is none: the next one is asked
        tell           // its failure is the answer
    };
    enum class Names : unsigned char {
        as_they_are,
        searched  // as /etc/resolv.conf says ("search", "ndots")
    };

    // `servers`: each in its turn; none: those of /etc/resolv.conf, in their order.
    DnsChannel(Loop& loop, const std::vector<SocketAddress>& servers, Failures failures);
    ~DnsChannel();
    DnsChannel(const DnsChannel&) = delete;
    DnsChannel& operator=(const DnsChannel&) = delete;

    // Called with a status of c-ares and the answer, perhaps before `ask` returns; not when the
    // channel is destroyed.
    using Answered = std::move_only_function<void(int status, std::string_view answer)>;
    void ask(const std::string& name, DnsType type, Names names, Answered answered);

private:
    class Socket;
    class Retry;

    static void on_socket(void* self, ares_socket_t descriptor, int readable, int writable);
    void forget(ares_socket_t descriptor);
    void process(ares_socket_t readable, ares_socket_t writable);
    void arm();

    Loop& loop_;
    ares_channel channel_ = nullptr;
    std::unordered_map<ares_socket_t, std::unique_ptr<Socket>> sockets_;
    std::unique_ptr<Socket> closed_;  // the first of those that are no more
    std::unique_ptr<Retry> retry_;
};

}  // namespace postern::net
