#include "auth/auth_http.h"

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "base/text.h"
#include "http/response_body.h"
#include "net/attempts.h"

namespace postern::auth {

namespace {

// The answer is known by then; a service that is slow with a body that nobody wants loses its
// connection, and the client no time.
constexpr std::chrono::seconds kLongestBody{1};

void log_timeout(log::SessionLog& log, std::string_view server)
{
    log.line(LogLevel::error, "auth http server {} timed out{}", server,
             log::errno_text(ETIMEDOUT));
}

void log_connect_error(log::SessionLog& log, std::string_view server, int error)
{
    if (error == ETIMEDOUT) {
        log_timeout(log, server);
        return;
    }
    // NGINX: what may happen to any peer is an error, what looks like a wrong set-up is worse.
    const bool is_usual = error == ECONNREFUSED || error == ECONNRESET || error == EHOSTUNREACH ||
                          error == ENETUNREACH || error == ENETDOWN || error == EHOSTDOWN;
    log.line(is_usual ? LogLevel::error : LogLevel::crit, "connect() to {} failed{}", server,
             log::errno_text(error));
}

void log_end(log::SessionLog& log, std::string_view server, const net::Disconnected& end)
{
    switch (end.reason) {
    case net::Disconnected::Reason::timed_out:
        log_timeout(log, server);
        break;
    case net::Disconnected::Reason::failed:
        log.line(LogLevel::error, "auth http server {}: {}", server, end.failure());
        break;
    case net::Disconnected::Reason::closed:
        log.line(LogLevel::error,
                 "auth http server {} closed connection before its answer was complete", server);
        break;
    }
}

// What is between the lines of a request: names, as values may be secrets. The request line isn't
// shown either: there may be a key in its URI.
std::string header_names(std::string_view request)
{
    std::string names;
    request.remove_prefix(std::min(request.find('\n') + 1, request.size()));
    while (!request.empty()) {
        const std::string_view line = request.substr(0, request.find('\n'));
        const std::size_t colon = line.find(':');
        if (colon != std::string_view::npos) {
            names += names.empty() ? "" : ", ";
            names += line.substr(0, colon);
        }
        request.remove_prefix(std::min(line.size() + 1, request.size()));
    }
    return names;
}

std::string header_names(const std::vector<http::Header>& headers)
{
    std::string names;
    for (const http::Header& header : headers) {
        names += names.empty() ? "" : ", ";
        names += header.name;
    }
    return names;
}

}  // namespace

net::Task<Verdict> AuthHttp::check(const Claim& claim, const Peer& peer, log::SessionLog& log)
{
    log.set_action("in http auth state");
    const std::optional<Secret> request = make_request(service_, claim, peer);
    if (!request) {
        log.write(LogLevel::error,
                  "client sent what can't be put into a request to auth http server");
        co_return Failure{};
    }
    const auto give_up = loop_.now() + kLongestWaiting;
    for (;;) {
        Outcome outcome = co_await ask(*request, claim, peer, log);
        if (auto* const mailbox = std::get_if<Mailbox>(&outcome)) {
            co_return std::move(*mailbox);
        }
        if (auto* const refusal = std::get_if<Refusal>(&outcome)) {
            co_return std::move(*refusal);
        }
        const auto* const wait = std::get_if<Wait>(&outcome);
        if (wait == nullptr) {
            co_return Failure{};
        }
        if (loop_.now() + wait->pause > give_up) {
            log.line(LogLevel::error, "auth http server {} said WAIT for too long",
                     service_.where.host);
            co_return Failure{};
        }
        log.debug("auth http server said WAIT, it is asked again after {} ms",
                  std::chrono::milliseconds(wait->pause).count());
        net::Deadline pause(loop_);
        pause.set(wait->pause);
        co_await pause;
    }
}

net::Task<AuthHttp::Outcome> AuthHttp::ask(const Secret& request, const Claim& claim,
                                           const Peer& peer, log::SessionLog& log)
{
    net::Deadline deadline(loop_);
    deadline.set(service_.timeout);
    Question question{request, claim, peer, log, deadline};
    log.debug("auth http server has {} ms to answer", service_.timeout.count());
    if (auto kept = connections_->take()) {
        log.debug("auth http server {} is asked on a connection that was kept", kept->server);
        auto outcome = co_await exchange(*kept, question);
        if (outcome) {
            co_return std::move(*outcome);
        }
    }
    auto connection = co_await connect(question);
    if (!connection) {
        co_return Failure{};
    }
    auto outcome = co_await exchange(*connection, question);
    co_return outcome ? std::move(*outcome) : Outcome(Failure{});
}

// Tries the service's addresses in turn until one is connected, and under TLS if that is wanted.
// Nothing: none was, which is logged for each. What goes wrong after that is not tried again: the
// service has been asked.
net::Task<std::optional<HttpConnection>> AuthHttp::connect(Question& question)
{
    auto found = co_await addresses(question);
    if (!found) {
        co_return std::nullopt;
    }
    net::Attempts attempts(resolver_, std::move(*found), question.deadline);
    while (attempts.next()) {
        HttpConnection connection;
        connection.address = attempts.address();
        connection.server = connection.address.text();
        question.log.debug("connecting to auth http server {}", connection.server);
        net::Deadline& share = attempts.deadline();
        constexpr auto kOurs = net::Stream::FirstWord::ours;
        auto stream = co_await net::Stream::connect(loop_, connection.address, share, kOurs);
        if (!stream) {
            log_connect_error(question.log, connection.server, stream.error());
            attempts.has_failed();
            continue;
        }
        connection.stream = std::move(*stream);
        const bool is_ready = co_await start_tls(connection, share, question.log);
        if (is_ready) {
            co_return std::move(connection);
        }
        attempts.has_failed();
    }
    co_return std::nullopt;
}

// With "https://". False: nothing may be said to this server, which is logged.
net::Task<bool> AuthHttp::start_tls(HttpConnection& connection, net::Deadline& deadline,
                                    log::SessionLog& log)
{
    if (service_.tls == nullptr) {
        co_return true;
    }
    const std::string& name = service_.tls->settings().name;
    tls::ClientContext::Target target{
        .address = connection.server,
        .name = name.empty() ? std::string(trim(service_.where.host, "[]")) : name,
        .verify = service_.tls->settings().verify};
    const auto done =
        co_await connection.stream->start_tls(*service_.tls, std::move(target), deadline);
    if (done) {
        if (log.enabled(LogLevel::debug)) {
            log.debug("SSL with auth http server {}: {}", connection.server,
                      connection.stream->tls()->description());
        }
        co_return true;
    }
    using Reason = net::Stream::TlsFailure::Reason;
    switch (done.error().reason) {
    case Reason::timed_out:
        log_timeout(log, connection.server);
        break;
    case Reason::untrusted:
        log.line(LogLevel::error, "auth http server {} {}", connection.server, done.error().text);
        break;
    case Reason::closed:
    case Reason::failed:
        log.line(LogLevel::error, "auth http server {}: {}", connection.server, done.error().text);
        break;
    }
    co_return false;
}

net::Task<std::optional<net::Resolver::Addresses>> AuthHttp::addresses(Question& question)
{
    const config::AuthHttp& where = service_.where;
    if (!where.unix_path.empty()) {
        co_return net::Resolver::Addresses{SocketAddress::unix_path(where.unix_path)};
    }
    std::string host(trim(where.host, "[]"));
    auto found = co_await resolver_.addresses(std::move(host), where.port, question.deadline);
    if (!found) {
        question.log.line(LogLevel::error, "auth http server \"{}\" could not be resolved ({})",
                          where.host, found.error().text());
        co_return std::nullopt;
    }
    co_return std::move(*found);
}

// The request and its answer. Nothing: the connection was a kept one, and dead before the first
// byte of an answer, which proves nothing; ask again on a new one.
net::Task<std::optional<AuthHttp::Outcome>> AuthHttp::exchange(HttpConnection& connection,
                                                               Question& question)
{
    net::Conversation conversation(*connection.stream, question.deadline, http::kMaxHeadBytes);
    std::optional<net::Disconnected> end;
    try {
        if (question.log.enabled(LogLevel::debug)) {
            question.log.debug("auth http server {} is sent {} bytes, with the headers {}",
                               connection.server, question.request.reveal().size(),
                               header_names(question.request.reveal()));
        }
        co_await conversation.write(question.request.reveal());
        for (;;) {
            auto head = http::parse_response_head(conversation.unread());
            if (!head) {
                question.log.line(LogLevel::error, "auth http server {} {}", connection.server,
                                  head.error() == http::HeadError::invalid
                                      ? "sent invalid header in response"
                                      : "sent too long header in response");
                co_return Failure{};
            }
            if (!*head) {
                co_await conversation.fill();
                continue;
            }
            if (question.log.enabled(LogLevel::debug)) {
                question.log.debug("auth http server {} answered {} with the headers {}",
                                   connection.server, (*head)->status,
                                   escape_for_log(header_names((*head)->headers)));
            }
            if (service_.keepalive > 0 && (*head)->is_informational()) {
                conversation.consume((*head)->consumed);
                continue;
            }
            resolver_.has_answered(connection.address);
            Outcome outcome = read(**head, connection, question);
            co_await keep(connection, conversation, std::move(**head));
            co_return std::move(outcome);
        }
    } catch (const net::Disconnected& disconnected) {
        end = disconnected;
    }
    if (connection.is_reused && conversation.unread().empty() &&
        end->reason != net::Disconnected::Reason::timed_out) {
        co_return std::nullopt;
    }
    log_end(question.log, connection.server, *end);
    resolver_.has_failed(connection.address);
    co_return Failure{};
}

AuthHttp::Outcome AuthHttp::read(const http::ResponseHead& head, const HttpConnection& connection,
                                 const Question& question) const
{
    HttpAnswer answer = read_answer(head.headers, question.claim, question.peer);
    if (auto* const mailbox = std::get_if<Mailbox>(&answer)) {
        return std::move(*mailbox);
    }
    if (auto* const refusal = std::get_if<Refusal>(&answer)) {
        return std::move(*refusal);
    }
    if (const auto* const wait = std::get_if<Wait>(&answer)) {
        return *wait;
    }
    question.log.line(LogLevel::error, "auth http server {} {}", connection.server,
                      std::get<BadAnswer>(answer).problem);
    return Failure{};
}

// Keeps the connection for the next request, if it may carry one and the answer is read to its end.
net::Task<> AuthHttp::keep(HttpConnection& connection, net::Conversation& conversation,
                           http::ResponseHead head)
{
    if (service_.keepalive == 0 || !head.keep_alive) {
        co_return;
    }
    conversation.consume(head.consumed);
    conversation.deadline().set(kLongestBody);
    try {
        for (;;) {
            const auto size = http::body_size(head, conversation.unread());
            if (!size || (!*size && conversation.full())) {
                co_return;
            }
            if (*size) {
                conversation.consume(**size);
                break;
            }
            co_await conversation.fill();
        }
    } catch (const net::Disconnected&) {
        co_return;
    }
    if (conversation.unread().empty()) {
        connections_->give(std::move(connection), service_.keepalive);
    }
}

}  // namespace postern::auth
