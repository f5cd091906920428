#include "backend/connection.h"

#include <cerrno>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "net/attempts.h"

namespace postern::backend {

using config::ProxySsl;

Connection::Connection(Target target, const tls::ClientContext* context, std::size_t buffer_bytes,
                       net::Deadline& deadline, log::SessionLog& log)
    : target_(std::move(target)),
      context_(context),
      buffer_bytes_(buffer_bytes),
      deadline_(deadline),
      log_(log),
      wants_starttls_(target_.ssl == ProxySsl::starttls)
{
}

net::Task<bool> Connection::open(net::Resolver& resolver)
{
    log_.set_action("connecting to upstream");
    std::optional<net::Resolver::Addresses> addresses = known_addresses();
    if (!addresses) {
        addresses = co_await look_up(resolver);
    }
    if (!addresses) {
        co_return false;
    }
    const bool is_one_of_several = addresses->size() > 1;
    net::Attempts attempts(resolver, std::move(*addresses), deadline_);
    while (attempts.next()) {
        address_ = attempts.address();
        if (is_one_of_several) {
            log_.set_upstream(address_.text());
        }
        net::Deadline& share = attempts.deadline();
        const bool is_reached = co_await reach(address_, share);
        if (is_reached) {
            attempts.has_answered();
            conversation_.emplace(*stream_, deadline_, buffer_bytes_);
            co_return true;
        }
        attempts.has_failed();
    }
    co_return false;
}

// What needs no name service: nothing, if the host is a name.
std::optional<net::Resolver::Addresses> Connection::known_addresses() const
{
    constexpr std::string_view kUnix = "unix:";
    if (target_.host.starts_with(kUnix)) {
        log_.set_upstream(target_.host);
        return net::Resolver::Addresses{
            SocketAddress::unix_path(std::string_view(target_.host).substr(kUnix.size()))};
    }
    log_.set_upstream(concat({target_.host, ":", std::to_string(target_.port)}));
    if (const auto address = SocketAddress::parse_ip(target_.host, target_.port)) {
        return net::Resolver::Addresses{*address};
    }
    return std::nullopt;
}

net::Task<std::optional<net::Resolver::Addresses>> Connection::look_up(net::Resolver& resolver)
{
    auto found = co_await resolver.addresses(target_.host, target_.port, deadline_);
    if (!found) {
        log_.line(LogLevel::error, "\"{}\" could not be resolved ({})", target_.host,
                  found.error().text());
        co_return std::nullopt;
    }
    co_return std::move(*found);
}

// An address whose certificate is wrong is like one that doesn't answer: it was told nothing, and
// the log says so.
net::Task<bool> Connection::reach(const SocketAddress& address, net::Deadline& deadline)
{
    log_.set_action("connecting to upstream");
    log_address("connecting to upstream", address);
    const bool is_greeted = target_.proxy_header.empty() && target_.ssl != ProxySsl::on;
    const auto first_word =
        is_greeted ? net::Stream::FirstWord::theirs : net::Stream::FirstWord::ours;
    auto stream = co_await net::Stream::connect(deadline_.loop(), address, deadline, first_word);
    if (!stream) {
        log_connect_failure(address, stream.error());
        co_return false;
    }
    stream_ = std::move(*stream);
    log_address("connected to upstream", address);
    if (!target_.proxy_header.empty()) {
        const bool is_sent = co_await send_proxy_header(deadline);
        if (!is_sent) {
            co_return false;
        }
    }
    if (target_.ssl == ProxySsl::on) {
        const bool is_protected = co_await handshake(deadline);
        co_return is_protected;
    }
    co_return true;
}

net::Task<bool> Connection::send_proxy_header(net::Deadline& deadline)
{
    log_.set_action("sending PROXY protocol header to upstream");
    net::Conversation talk(*stream_, deadline, buffer_bytes_);
    std::optional<net::Disconnected> end;
    try {
        co_await talk.write(target_.proxy_header);
        co_return true;
    } catch (const net::Disconnected& disconnected) {
        end = disconnected;
    }
    log_end(*end);
    co_return false;
}

net::Task<bool> Connection::start_tls()
{
    if (!is_silent()) {
        co_return false;
    }
    const bool is_protected = co_await handshake(deadline_);
    wants_starttls_ = !is_protected;
    co_return is_protected;
}

bool Connection::is_silent()
{
    bool silent = conversation_->unread().empty();
    if (silent) {
        // What has arrived and was not read yet. An end is met again by who reads next.
        char byte = 0;
        silent = stream_->read({&byte, 1}).status != net::Io::Status::done;
    }
    if (!silent) {
        log_.write(LogLevel::error, "upstream sent data before TLS that nobody asked for");
    }
    return silent;
}

net::Task<bool> Connection::handshake(net::Deadline& deadline)
{
    log_.set_action("SSL handshaking to upstream");
    if (context_ == nullptr) {
        log_.write(LogLevel::error, "no SSL is configured for upstream");
        co_return false;
    }
    tls::ClientContext::Target peer{address_.text(), target_.name, target_.verify};
    const auto done = co_await stream_->start_tls(*context_, std::move(peer), deadline);
    if (!done) {
        log_tls_failure(done.error());
    } else if (log_.enabled(LogLevel::debug)) {
        log_.debug("SSL with upstream: {}", stream_->tls()->description());
    }
    co_return done.has_value();
}

void Connection::log_address(std::string_view what, const SocketAddress& address) const
{
    if (log_.enabled(LogLevel::debug)) {
        log_.debug("{} {}", what, address.text());
    }
}

void Connection::log_connect_failure(const SocketAddress& address, int error)
{
    if (deadline_.expired()) {
        log_.line(LogLevel::info, "upstream timed out{}", log::errno_text(ETIMEDOUT));
        return;
    }
    if (error == ECONNRESET) {  // in place of a greeting: a connect() is never answered like this
        log_.set_action("reading response from upstream");
        log_.line(LogLevel::error, "recv() failed{}", log::errno_text(error));
        return;
    }
    const bool common = error == ECONNREFUSED || error == ETIMEDOUT || error == EHOSTUNREACH ||
                        error == ENETUNREACH;
    log_.line(common ? LogLevel::error : LogLevel::crit, "connect() to {} failed{}", address.text(),
              log::errno_text(error));
}

void Connection::log_tls_failure(const net::Stream::TlsFailure& failure) const
{
    using Reason = net::Stream::TlsFailure::Reason;
    switch (failure.reason) {
    case Reason::timed_out:
        log_.line(LogLevel::info, "upstream timed out{}", log::errno_text(ETIMEDOUT));
        break;
    case Reason::untrusted:
        log_.line(LogLevel::error, "upstream {}", failure.text);
        break;
    case Reason::closed:
    case Reason::failed:
        log_.write(LogLevel::error, failure.text);
        break;
    }
}

void Connection::log_end(const net::Disconnected& end) const
{
    switch (end.reason) {
    case net::Disconnected::Reason::timed_out:
        log_.line(LogLevel::info, "upstream timed out{}", log::errno_text(ETIMEDOUT));
        return;
    case net::Disconnected::Reason::closed:
        log_.write(LogLevel::error, "upstream closed connection before login was complete");
        return;
    case net::Disconnected::Reason::failed:
        log_.write(LogLevel::error, end.failure());
        return;
    }
}

}  // namespace postern::backend
