#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/address.h"
#include "config/settings.h"
#include "log/session_log.h"
#include "net/conversation.h"
#include "net/resolver.h"
#include "net/stream.h"
#include "net/task.h"
#include "tls/client_context.h"

namespace postern::backend {

// Where a user's mailbox is, and how the way to it is protected.
struct Target {
    std::string host;  // an IP address, a name or "unix:PATH"
    std::uint16_t port = 0;
    config::ProxySsl ssl = config::ProxySsl::off;
    bool verify = false;       // is the server's certificate looked at?
    std::string name;          // to be in it
    std::string proxy_header;  // to be sent before all else, TLS too; mostly empty
};

// The connection to a mailbox server, until the relay gets it. Whether it is under TLS is no
// concern of those who talk on it, but for the one step of their protocol that asks for it.
class Connection
{
public:
    // `context` may be null if nothing wants TLS; `deadline` and `log` outlive this. At most
    // `buffer_bytes` of what the server says are kept unread.
    Connection(Target target, const tls::ClientContext* context, std::size_t buffer_bytes,
               net::Deadline& deadline, log::SessionLog& log);

    // Connects and, with ProxySsl::on, puts the connection under TLS. A name's addresses are tried
    // in turn until one has got so far. False: none has, which is logged for each of them. Throws
    // nothing. All else is for later; nothing that fails then makes us try another address.
    net::Task<bool> open(net::Resolver& resolver);

    net::Conversation& conversation() { return *conversation_; }
    // The one of the host's addresses that was tried last; empty: none was.
    const SocketAddress& address() const { return address_; }

    // Is it still in clear text and must not stay so? Then no credential may be sent, and nothing
    // that the server says is to be believed.
    bool wants_starttls() const { return wants_starttls_; }
    // Puts it under TLS, once the server has agreed to it and that reply is consumed. False: it
    // failed, which is logged, and the connection is of no use. Anything that the server has said
    // beyond that reply is such a failure: in clear text anybody can say it, and it must not be
    // taken for something that was said under TLS.
    net::Task<bool> start_tls();
    // May we ask for TLS, or go on to it? False: the server has said more than it was asked,
    // which is logged.
    bool is_silent();

    // The line about the end that a wait has met.
    void log_end(const net::Disconnected& end) const;

    // The stream, for the relay. What is unread stays in the conversation.
    std::unique_ptr<net::Stream> release() { return std::move(stream_); }

private:
    std::optional<net::Resolver::Addresses> known_addresses() const;
    net::Task<std::optional<net::Resolver::Addresses>> look_up(net::Resolver& resolver);
    net::Task<bool> reach(const SocketAddress& address, net::Deadline& deadline);
    net::Task<bool> send_proxy_header(net::Deadline& deadline);
    net::Task<bool> handshake(net::Deadline& deadline);
    void log_address(std::string_view what, const SocketAddress& address) const;
    void log_connect_failure(const SocketAddress& address, int error);
    void log_tls_failure(const net::Stream::TlsFailure& failure) const;

    Target target_;
    const tls::ClientContext* context_;
    std::size_t buffer_bytes_;
    net::Deadline& deadline_;
    log::SessionLog& log_;
    bool wants_starttls_;
    SocketAddress address_;
    std::unique_ptr<net::Stream> stream_;
    std::optional<net::Conversation> conversation_;
};

}  // namespace postern::backend
