#include "backend/connection.h"

#include <cerrno>
#include <string_view>
#include <utility>

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
    const bool connected = co_await connect(resolver);
    if (!connected) {
        co_return false;
    }
    if (!target_.proxy_header.empty()) {
        const bool is_sent = co_await send_proxy_header();
        if (!is_sent) {
            co_return false;
        }
    }
    if (target_.ssl == ProxySsl::on) {
        // No other address is tried after this: who answers with a wrong certificate may be
        // somebody else, and the administrator has to hear of it.
        const bool is_protected = co_await handshake();
        if (!is_protected) {
            co_return false;
        }
    }
    conversation_.emplace(*stream_, deadline_, buffer_bytes_);
    co_return true;
}

net::Task<bool> Connection::connect(net::Resolver& resolver)
{
    log_.set_action("connecting to upstream");
    constexpr std::string_view kUnix = "unix:";
    const bool is_unix = target_.host.starts_with(kUnix);
    log_.set_upstream(is_unix ? target_.host : fmt::format("{}:{}", target_.host, target_.port));
    net::Resolver::Addresses addresses;
    if (is_unix) {
        addresses.push_back(SocketAddress::unix_path(target_.host.substr(kUnix.size())));
    } else {
        auto found = co_await resolver.addresses(target_.host, target_.port, deadline_);
        if (!found) {
            log_.line(LogLevel::error, "\"{}\" could not be resolved ({})", target_.host,
                      found.error().text());
            co_return false;
        }
        addresses = std::move(*found);
    }
    for (const SocketAddress& address : addresses) {
        log_address("connecting to upstream", address);
        auto stream = co_await net::Stream::connect(deadline_.loop(), address, deadline_);
        if (stream) {
            stream_ = std::move(*stream);
            address_ = address;
            log_address("connected to upstream", address);
            co_return true;
        }
        log_connect_failure(address, stream.error());
        if (deadline_.expired()) {
            break;
        }
    }
    co_return false;
}

net::Task<bool> Connection::send_proxy_header()
{
    log_.set_action("sending PROXY protocol header to upstream");
    net::Conversation talk(*stream_, deadline_, buffer_bytes_);
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
    const bool is_protected = co_await handshake();
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

net::Task<bool> Connection::handshake()
{
    log_.set_action("SSL handshaking to upstream");
    if (context_ == nullptr) {
        log_.write(LogLevel::error, "no SSL is configured for upstream");
        co_return false;
    }
    tls::ClientContext::Target peer{address_.text(), target_.name, target_.verify};
    const auto done = co_await stream_->start_tls(*context_, std::move(peer), deadline_);
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

void Connection::log_connect_failure(const SocketAddress& address, int error) const
{
    if (deadline_.expired()) {
        log_.line(LogLevel::info, "upstream timed out{}", log::errno_text(ETIMEDOUT));
        return;
    }
    const bool common = error == ECONNREFUSED || error == ECONNRESET || error == ETIMEDOUT ||
                        error == EHOSTUNREACH || error == ENETUNREACH;
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
        log_.write(LogLevel::error, end.failure("recv() or send() to upstream failed"));
        return;
    }
}

}  // namespace postern::backend
