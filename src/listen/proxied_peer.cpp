#include "listen/proxied_peer.h"

#include <algorithm>
#include <array>

#include "net/conversation.h"

namespace postern::listen {

namespace {

// What is there of the header. Looked at without taking it: how long it is, is in it.
net::ProxyHeaderResult look(net::Stream& client)
{
    std::array<char, net::ProxyHeader::kBytesMax> space;
    const net::Io io = client.peek(space);
    switch (io.status) {
    case net::Io::Status::failed:
        throw net::Disconnected{net::Disconnected::Reason::failed, io.error};
    case net::Io::Status::closed:
        return net::broken_proxy_header("");
    case net::Io::Status::would_block:
        return net::ProxyHeaderIncomplete{};
    case net::Io::Status::done:
        break;
    }
    const std::string_view bytes(space.data(), io.bytes);
    net::ProxyHeaderResult result = net::parse_proxy_header(bytes);
    if (std::holds_alternative<net::ProxyHeaderIncomplete>(result) && client.hung_up()) {
        return net::broken_proxy_header(bytes);  // nothing more will come
    }
    return result;
}

void take(net::Stream& client, std::size_t bytes)
{
    const auto scratch = client.loop().scratch();
    while (bytes > 0) {
        const net::Io io = client.read(scratch.first(bytes));
        if (io.status != net::Io::Status::done) {
            throw net::Disconnected{net::Disconnected::Reason::failed, io.error};
        }
        bytes -= io.bytes;
    }
}

}  // namespace

net::Task<std::expected<net::ProxyHeader, std::string>> read_proxy_header(net::Stream& client,
                                                                          net::Deadline& deadline)
{
    for (;;) {
        net::ProxyHeaderResult result = look(client);
        if (auto* header = std::get_if<net::ProxyHeader>(&result)) {
            take(client, header->bytes);
            co_return std::move(*header);
        }
        if (auto* broken = std::get_if<net::ProxyHeaderBroken>(&result)) {
            co_return std::unexpected(std::move(broken->why));
        }
        net::StreamEvent event(client, deadline);
        if (!co_await event) {
            throw net::Disconnected{net::Disconnected::Reason::timed_out};
        }
    }
}

}  // namespace postern::listen
