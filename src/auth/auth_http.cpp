#include "auth/auth_http.h"

#include <cerrno>

namespace postern::auth {

namespace {

constexpr unsigned kMostWaits = 1000;  // a service that answers WAIT for ever is broken

}  // namespace

std::unique_ptr<net::Stream> HttpConnections::take()
{
    while (!idle_.empty()) {
        auto connection = std::move(idle_.back());
        idle_.pop_back();
        char byte;
        // The service may have closed it meanwhile, or said something that nobody asked for.
        if (connection->read({&byte, 1}).status == net::Io::Status::would_block) {
            return connection;
        }
    }
    return nullptr;
}

void HttpConnections::give(std::unique_ptr<net::Stream> connection, unsigned limit)
{
    if (idle_.size() < limit) {
        idle_.push_back(std::move(connection));
    }
}

net::Task<Verdict> AuthHttp::check(const Claim& claim, const Peer& peer, log::SessionLog& log)
{
    log.set_action("in http auth state");
    const Secret request = make_request(service_, claim, peer);
    for (unsigned waits = 0; waits < kMostWaits; ++waits) {
        const auto head = co_await ask(request, log);
        if (!head) {
            co_return Failure{};
        }
        HttpAnswer answer = read_answer(*head, claim, peer);
        if (auto* const mailbox = std::get_if<Mailbox>(&answer)) {
            co_return std::move(*mailbox);
        }
        if (auto* const refusal = std::get_if<Refusal>(&answer)) {
            co_return std::move(*refusal);
        }
        if (const auto* bad = std::get_if<BadAnswer>(&answer)) {
            log.line(LogLevel::error, "auth http server {} {}", server_, bad->problem);
            co_return Failure{};
        }
        net::Deadline pause(loop_);
        pause.set(std::get<Wait>(answer).pause);
        co_await pause;
    }
    log.line(LogLevel::error, "auth http server {} answered WAIT {} times", server_, kMostWaits);
    co_return Failure{};
}

// One request and the head of its answer; nothing if that fails, which is logged.
net::Task<std::optional<http::ResponseHead>> AuthHttp::ask(const Secret& request,
                                                           log::SessionLog& log)
{
    net::Deadline deadline(loop_);
    deadline.set(service_.timeout);
    for (;;) {
        Connection connection;
        connection.stream = connections_->take();
        connection.reused = connection.stream != nullptr;
        if (!connection.reused) {
            connection = co_await connect(deadline, log);
            if (!connection.stream) {
                co_return std::nullopt;
            }
        }
        auto head = co_await exchange(connection, request, deadline, log);
        // A connection that was kept and is dead before the first byte of an answer proves nothing:
        // the next may be better, and the last is a new one.
        if (head || connection.stream) {
            co_return std::move(head);
        }
    }
}

// Nothing and no stream: try another connection. Nothing: it failed, which is logged.
net::Task<std::optional<http::ResponseHead>> AuthHttp::exchange(Connection& connection,
                                                                const Secret& request,
                                                                net::Deadline& deadline,
                                                                log::SessionLog& log)
{
    net::Conversation conversation(*connection.stream, deadline, http::kMaxHeadBytes);
    std::optional<net::Disconnected> end;
    try {
        co_await conversation.write(request.reveal());
        for (;;) {
            auto head = http::parse_response_head(conversation.unread());
            if (!head) {
                log.line(LogLevel::error, "auth http server {} sent invalid header in response",
                         server_);
                co_return std::nullopt;
            }
            if (*head) {
                conversation.consume((*head)->consumed);
                co_await finish(connection, conversation, **head);
                co_return std::move(*head);
            }
            if (conversation.full()) {
                log.line(LogLevel::error, "auth http server {} sent too long header in response",
                         server_);
                co_return std::nullopt;
            }
            co_await conversation.fill();
        }
    } catch (const net::Disconnected& disconnected) {
        end = disconnected;
    }
    if (connection.reused && conversation.unread().empty() &&
        end->reason != net::Disconnected::Reason::timed_out) {
        connection.stream.reset();
        co_return std::nullopt;
    }
    switch (end->reason) {
    case net::Disconnected::Reason::timed_out:
        log.line(LogLevel::error, "auth http server {} timed out{}", server_,
                 log::errno_text(ETIMEDOUT));
        break;
    case net::Disconnected::Reason::failed:
        log.line(LogLevel::error, "recv() from auth http server {} failed{}", server_,
                 log::errno_text(end->error));
        break;
    case net::Disconnected::Reason::closed:
        log.line(LogLevel::error,
                 "auth http server {} closed connection before its answer was complete", server_);
        break;
    }
    co_return std::nullopt;
}

// Reads what is left of the answer and keeps the connection for the next request, if it may be used
// again.
net::Task<> AuthHttp::finish(Connection& connection, net::Conversation& conversation,
                             const http::ResponseHead& head)
{
    if (service_.keepalive == 0 || !head.keeps_alive || head.body_bytes > http::kMaxHeadBytes) {
        co_return;
    }
    std::uint64_t left = head.body_bytes;
    try {
        while (left > 0) {
            if (conversation.unread().empty()) {
                co_await conversation.fill();
            }
            const auto read = std::min<std::uint64_t>(left, conversation.unread().size());
            conversation.consume(read);
            left -= read;
        }
    } catch (const net::Disconnected&) {
        co_return;  // the answer is complete; only the connection is of no more use
    }
    if (conversation.unread().empty()) {
        connections_->give(std::move(connection.stream), service_.keepalive);
    }
}

// Connects to the service's addresses in turn. No stream: none could be reached, which is logged.
net::Task<AuthHttp::Connection> AuthHttp::connect(net::Deadline& deadline, log::SessionLog& log)
{
    Connection connection;
    net::Resolver::Addresses addresses;
    if (!service_.where.unix_path.empty()) {
        addresses.push_back(SocketAddress::unix_path(service_.where.unix_path));
    } else {
        std::string host = service_.where.host;
        if (host.starts_with('[') && host.ends_with(']')) {
            host = host.substr(1, host.size() - 2);
        }
        auto found = co_await resolver_.addresses(std::move(host), service_.where.port, deadline);
        if (!found) {
            log.line(LogLevel::error, "auth http server {} could not be resolved ({})",
                     service_.where.host, found.error().text());
            co_return std::move(connection);
        }
        addresses = std::move(*found);
    }
    for (const SocketAddress& address : addresses) {
        server_ = address.text();
        auto stream = co_await net::Stream::connect(loop_, address, deadline);
        if (stream) {
            connection.stream = std::move(*stream);
            break;
        }
        if (stream.error() == ETIMEDOUT && deadline.expired()) {
            log.line(LogLevel::error, "auth http server {} timed out{}", server_,
                     log::errno_text(ETIMEDOUT));
            break;
        }
        const bool common = stream.error() == ECONNREFUSED || stream.error() == ECONNRESET ||
                            stream.error() == ETIMEDOUT || stream.error() == EHOSTUNREACH ||
                            stream.error() == ENETUNREACH;
        log.line(common ? LogLevel::error : LogLevel::crit, "connect() to {} failed{}", server_,
                 log::errno_text(stream.error()));
    }
    co_return std::move(connection);
}

}  // namespace postern::auth
