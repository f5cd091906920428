#include "session/login.h"

#include <new>

#include "listen/access.h"
#include "listen/proxied_peer.h"
#include "session/client_certificate.h"
#include "session/client_host.h"
#include "session/dialogues.h"
#include "session/login_steps.h"
#include "session/recording.h"

namespace postern::session {

Login::Login(net::Stream& client, const Arrival& arrival, std::span<const Server> servers,
             log::SessionLog& log)
    : Newcomer(arrival.newcomers, client.loop().now()),
      servers_(servers),
      server_(&servers[arrival.endpoint.server]),
      endpoint_(arrival.endpoint),
      log_(log),
      deadline_(client.loop()),
      client_(client, deadline_, client_buffer(settings(), arrival.endpoint.protocol)),
      gate_(arrival.admission, arrival.newcomers, client, deadline_, log),
      accepted_(client.loop().now())
{
    peer_.protocol = arrival.endpoint.protocol;
    peer_.client_address = arrival.address;
    peer_.client_ip = arrival.address.ip_text();
    serve_as(arrival.endpoint.server);
}

// Begins a dialogue that knows nothing of what was said before.
void Login::serve_as(std::size_t server)
{
    server_ = &servers_[server];
    log_.set_logger(server_->logger);
    record_server(log_, *server_);
    client_.set_limit(client_buffer(settings(), peer_.protocol));
    constexpr auto kEndless = net::Clock::time_point::max();
    const auto [time, bytes] = std::pair(settings().login_timeout, settings().limit_login_bytes);
    client_.set_totals(bytes > 0 ? bytes : ~std::size_t{0},
                       time.count() > 0 ? accepted_ + time : kEndless);
    dialogue_ = make_dialogue(peer_.protocol,
                              protocol::Context{client_, settings(), log_, peer_, challenge_});
}

net::Task<std::optional<Mailbox>> Login::run()
{
    LoginEnd why;
    bool is_out_of_memory = false;
    try {
        std::optional<Mailbox> mailbox = co_await talk();
        if (!mailbox && !has_made_way_) {
            waits_for_client_ = is_leaving_ = true;
            co_await say_goodbye(client_);
        }
        co_return std::move(mailbox);
    } catch (const net::Disconnected& disconnected) {
        why = disconnected;
    } catch (const net::SentTooMuch& too_much) {
        why = too_much;
    } catch (const std::bad_alloc&) {
        is_out_of_memory = true;
    }
    if (is_out_of_memory) {
        log_.write(LogLevel::crit, log::kOutOfMemory);
        log_.set_result(log::Result::internal_error);
        if (!has_made_way_) {
            leave_with(dialogue_->internal_error());
        }
    } else if (!has_made_way_) {
        co_await end(why);
    }
    co_return std::nullopt;
}

// The last words, unless the client would read them in the middle of something else.
net::Task<> Login::end(const LoginEnd& why)
{
    const std::string_view reply =
        log_end(why, client_, *dialogue_, settings().login_timeout, log_);
    if (!reply.empty() && has_greeted_ && !in_handshake_ && !client_.is_writing()) {
        client_.stream().write(reply);
        co_await say_goodbye(client_);
    }
}

net::Task<std::optional<Mailbox>> Login::talk()
{
    client_.restart(settings().timeout);
    log_.debug("client has {} ms until its login", settings().timeout.count());
    const bool is_known = !endpoint_.proxy_protocol || co_await learn_who_calls();
    if (!is_known) {
        co_return std::nullopt;
    }
    const bool is_admitted = co_await admit();
    if (!is_admitted) {
        co_return std::nullopt;
    }
    if (peer_.protocol == config::Protocol::smtp) {
        peer_.client_host =
            co_await client_host(server().client_resolver, settings(), peer_.client_address, log_);
    }
    const bool welcome = co_await dialogue_->greet();
    if (!welcome) {
        co_return std::nullopt;
    }
    has_greeted_ = true;
    client_.restart(settings().timeout);
    for (;;) {
        waits_for_client_ = true;
        const protocol::Request request = co_await dialogue_->authorize();
        waits_for_client_ = false;
        if (has_made_way_) {  // and what it says now came too late
            co_return std::nullopt;
        }
        if (std::holds_alternative<protocol::Goodbye>(request)) {
            log_.debug("client was told goodbye");
            co_return std::nullopt;
        }
        if (std::holds_alternative<protocol::WantsTls>(request)) {
            const bool goes_on = co_await restart_under_tls();
            if (!goes_on) {
                co_return std::nullopt;
            }
            continue;
        }
        const auth::Claim& claim = std::get<auth::Claim>(request);
        log_.set_login(claim.login);
        record_claim(log_, claim);
        const Guess guess(server(), claim, peer_, log_, deadline_.loop());
        if (guess.is_refused()) {
            const std::string reply = dialogue_->too_many_failures();
            co_await client_.write(reply);
            co_return std::nullopt;
        }
        deadline_.clear();  // who is asked now has a limit of its own
        const auto asked = deadline_.loop().now();
        const auth::Verdict verdict = co_await server().authenticator.check(claim, peer_, log_);
        ++peer_.attempt;
        record_verdict(log_, verdict, deadline_.loop(), asked);
        deadline_.set(settings().timeout);
        if (const auto* mailbox = std::get_if<auth::Mailbox>(&verdict)) {
            log_.set_login(mailbox->login);
            std::optional<Mailbox> opened = co_await open(claim, *mailbox, guess);
            co_return std::move(opened);
        }
        if (std::holds_alternative<auth::Failure>(verdict)) {
            co_await client_.write(dialogue_->internal_error());
            co_return std::nullopt;
        }
        const bool may_retry = co_await refuse(claim, std::get<auth::Refusal>(verdict), guess);
        if (!may_retry) {
            co_return std::nullopt;
        }
    }
}

// The PROXY header. False: there is none that can be read, and nothing is said to whoever that is.
net::Task<bool> Login::learn_who_calls()
{
    log_.set_action("reading PROXY protocol");
    waits_for_client_ = true;
    auto header = co_await listen::read_proxy_header(client_.stream(), deadline_);
    waits_for_client_ = false;
    if (has_made_way_) {
        co_return false;
    }
    if (!header) {
        log_.write(LogLevel::error, header.error());
        log_.set_result(log::Result::proxy_header_error);
        co_return false;
    }
    log_.set_action("");
    peer_.proxied = std::move(header->addresses);
    if (log_.enabled(LogLevel::debug)) {
        log_.debug("PROXY header of {} bytes from {}: {}", header->bytes,
                   peer_.client_address.text(),
                   peer_.proxied ? peer_.proxied->source.text() : "no address");
    }
    if (peer_.proxied && listen::is_among(settings().real_ip_from, peer_.client_address)) {
        peer_.client_address = peer_.proxied->source;
        peer_.client_ip = peer_.client_address.ip_text();
        log_.set_client(peer_.client_ip);
    }
    record_peer(log_, peer_);
    co_return true;
}

// Until the greeting: who may not come, and TLS where it begins at once. False: the end.
net::Task<bool> Login::admit()
{
    const bool is_known = !endpoint_.ssl || !endpoint_.acceptor->has_several_servers();
    const bool is_allowed = listen::is_allowed(settings().access, peer_.client_address);
    if (is_known && !is_allowed) {
        log_.write(LogLevel::error, "access forbidden by rule");
        log_.set_result(log::Result::denied);
        if (!endpoint_.ssl) {  // else the client waits for a handshake, and could not read it
            co_await client_.write(dialogue_->access_denied());
        }
        co_return false;
    }
    const bool has_place = co_await gate_.wait_for_place(settings(), peer_.client_address);
    if (!has_place) {
        log_.set_result(log::Result::limited);
        if (!endpoint_.ssl) {
            co_await client_.write(dialogue_->too_many());
        }
        // Nobody lingers for those who were too many: they would be more than all others.
        client_.stream().shutdown_write();
        client_.stream().read(client_.stream().loop().scratch());
        has_made_way_ = true;
        co_return false;
    }
    if (!endpoint_.ssl) {
        co_return true;
    }
    log_.set_action("SSL handshaking");
    const bool goes_on = co_await start_tls();
    co_return goes_on;
}

// After the client was told to begin. What it has sent before the handshake is forgotten: were it
// read as commands, somebody on the line could put words into the client's mouth.
net::Task<bool> Login::restart_under_tls()
{
    log_.set_using_starttls();
    log_.set_action("in starttls state");
    if (const std::size_t bytes = client_.discard(); bytes > 0) {
        log_.line(LogLevel::info, "client sent {} bytes of plain text behind STARTTLS, discarded",
                  bytes);
    }
    const bool goes_on = co_await start_tls();
    co_return goes_on;
}

net::Task<bool> Login::start_tls()
{
    in_handshake_ = true;
    net::Stream& stream = client_.stream();
    waits_for_client_ = true;
    while (!stream.readable() && !deadline_.expired()) {  // who is silent uses up nobody's turn
        net::StreamEvent event(stream, deadline_);
        co_await event;
    }
    waits_for_client_ = false;
    if (has_made_way_) {
        co_return false;
    }
    if (deadline_.expired()) {
        throw net::Disconnected{net::Disconnected::Reason::timed_out};
    }
    const bool is_its_turn = co_await gate_.wait_for_handshake(settings());
    if (!is_its_turn) {
        log_.set_result(log::Result::limited);
        co_return false;
    }
    const tls::Acceptor& acceptor = *endpoint_.acceptor;
    const auto begun = deadline_.loop().now();
    waits_for_client_ = true;
    const auto done = co_await stream.start_tls(acceptor, deadline_);
    waits_for_client_ = false;
    if (has_made_way_) {
        co_return false;
    }
    if (!done && done.error().reason == net::Stream::TlsFailure::Reason::timed_out) {
        throw net::Disconnected{net::Disconnected::Reason::timed_out};
    }
    in_handshake_ = false;
    if (!done) {
        log_.write(LogLevel::info, done.error().text);
        log_.set_result(log::Result::tls_error);
        co_return false;
    }
    const tls::Connection& connection = *stream.tls();
    if (log_.enabled(LogLevel::debug)) {
        log_.debug("SSL with client: {}", connection.description());
    }
    peer_.tls = auth::PeerTls{.protocol = std::string(connection.protocol()),
                              .cipher = std::string(connection.cipher())};
    record_tls(log_, stream, *peer_.tls, begun);
    serve_as(tls::Acceptor::server_of(connection.ssl()));
    if (endpoint_.acceptor->has_several_servers() &&
        !listen::is_allowed(settings().access, peer_.client_address)) {
        log_.write(LogLevel::error, "access forbidden by rule");
        log_.set_result(log::Result::denied);
        co_await client_.write(dialogue_->access_denied());
        co_return false;
    }
    const bool goes_on = co_await check_certificate();
    co_return goes_on;
}

// What "ssl_verify_client" says of the client's certificate. False: the end.
net::Task<bool> Login::check_certificate()
{
    const CertificateVerdict verdict = session::check_certificate(
        *client_.stream().tls(), settings().ssl.verify_client, *peer_.tls, log_);
    record_certificate(log_, *peer_.tls);
    if (verdict == CertificateVerdict::fine) {
        co_return true;
    }
    log_.set_result(log::Result::tls_error);
    const std::string_view reply = verdict == CertificateVerdict::bad
                                       ? dialogue_->certificate_error()
                                       : dialogue_->no_certificate();
    co_await client_.write(reply);
    co_return false;
}

bool Login::can_be_told()
{
    const bool waits_for_tls = endpoint_.ssl && client_.stream().tls() == nullptr;
    return !in_handshake_ && !waits_for_tls && !is_leaving_ && !client_.is_writing();
}

// The process stops: the client is told.
void Login::dismiss()
{
    log_.set_result(log::Result::shut_down);
    leave_with(dialogue_->shutting_down());
}

// The last words, without waiting, unless the client would read them in the middle of something
// else.
void Login::leave_with(std::string_view words)
{
    if (!can_be_told()) {
        return;
    }
    net::Stream& stream = client_.stream();
    stream.write(words);
    stream.shutdown_write();
    // Unread input would reset the connection, and those words could be lost.
    stream.read(stream.loop().scratch());
}

// All that such a client hears, if it listens: others wait for its place.
bool Login::make_way(Room room)
{
    // The one chosen before goes at the end of this round only.
    if (has_made_way_ || deadline_.expired() || !gate_.holds(room) ||
        (!waits_for_client_ && !gate_.make_way())) {
        return false;
    }
    gate_.give_back();
    if (can_be_told()) {
        client_.stream().write(dialogue_->too_many());
    }
    log_.write(settings().limit_log_level, "limiting connections, it made way for a newer client");
    log_.set_result(log::Result::limited);
    has_made_way_ = true;
    deadline_.set(net::Clock::duration::zero());
    return true;
}

net::Task<std::optional<Mailbox>> open_mailbox(net::Stream& client, const Arrival& arrival,
                                               std::span<const Server> servers,
                                               log::SessionLog& log)
{
    Login login(client, arrival, servers, log);
    std::optional<Mailbox> mailbox = co_await login.run();
    co_return std::move(mailbox);
}

}  // namespace postern::session
