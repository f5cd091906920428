#include "session/recording.h"

#include <openssl/ssl.h>

#include <chrono>
#include <variant>

namespace postern::session {

namespace {

using log::SessionRecord;

SessionRecord::Place place(const SocketAddress& address)
{
    return {address.is_unix() ? "unix:" : address.ip_text(), address.port()};
}

SessionRecord::Duration since(net::Clock::time_point begun, const net::Loop& loop)
{
    return std::chrono::duration_cast<SessionRecord::Duration>(loop.now() - begun);
}

std::string_view closed_by(relay::End end)
{
    switch (end) {
    case relay::End::closed_by_client:
        return "client";
    case relay::End::closed_by_upstream:
        return "upstream";
    case relay::End::client_failed:
        return "client_lost";
    case relay::End::upstream_failed:
        return "upstream_lost";
    case relay::End::timed_out:
        return "timeout";
    case relay::End::shut_down:
    case relay::End::out_of_memory:
        return "proxy";
    }
    std::unreachable();
}

void write_end(SessionRecord& record, const net::Loop& loop)
{
    record.now = loop.now();
    if (record.logs != nullptr) {
        record.logs->write_end(record);
    }
}

}  // namespace

void record_arrival(log::SessionLog& log, const Arrival& arrival)
{
    if (!arrival.keeps_record) {
        return;
    }
    auto record = std::make_unique<SessionRecord>();
    record->connection = arrival.number;
    record->protocol = config::to_string(arrival.endpoint.protocol);
    record->client = record->peer = place(arrival.address);
    const SocketAddress& listens_at = arrival.endpoint.address;
    record->server = place(listens_at.is_wildcard() ? arrival.client->local_address() : listens_at);
    record->accepted = arrival.client->loop().now();
    log.keep_record(std::move(record));
}

void record_server(const log::SessionLog& log, const Server& server)
{
    if (SessionRecord* const record = log.record(); record != nullptr) {
        record->logs = server.access_logs;
        record->server_name = server.settings.server_name;
    }
}

void record_peer(const log::SessionLog& log, const auth::Peer& peer)
{
    SessionRecord* const record = log.record();
    if (record == nullptr || !peer.proxied) {
        return;
    }
    record->client = place(peer.client_address);
    record->proxied_source = {peer.proxied->source_ip, peer.proxied->source.port()};
    record->proxied_destination = {peer.proxied->destination_ip, peer.proxied->destination.port()};
}

void record_tls(const log::SessionLog& log, const net::Stream& client, const auth::PeerTls& tls,
                net::Clock::time_point begun)
{
    SessionRecord* const record = log.record();
    if (record == nullptr) {
        return;
    }
    const ssl_st* const ssl = client.tls()->ssl();
    const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    record->tls.protocol = tls.protocol;
    record->tls.cipher = tls.cipher;
    record->tls.server_name = name == nullptr ? "" : name;
    record->tls.resumed = SSL_session_reused(ssl) == 1;
    record->handshake_time = since(begun, client.loop());
}

void record_certificate(const log::SessionLog& log, const auth::PeerTls& tls)
{
    SessionRecord* const record = log.record();
    if (record == nullptr) {
        return;
    }
    record->tls.verify = tls.verify;
    if (tls.certificate) {
        record->tls.subject = tls.certificate->subject;
        record->tls.issuer = tls.certificate->issuer;
        record->tls.serial = tls.certificate->serial;
        record->tls.fingerprint = tls.certificate->fingerprint;
    }
}

void record_claim(const log::SessionLog& log, const auth::Claim& claim)
{
    if (SessionRecord* const record = log.record(); record != nullptr) {
        record->auth_method = auth::to_string(claim.method);
        record->sasl_mechanism = claim.mechanism;
        record->user = claim.login.substr(0, log::kLogValueMax);
        ++record->attempts;
    }
}

void record_verdict(const log::SessionLog& log, const auth::Verdict& verdict, const net::Loop& loop,
                    net::Clock::time_point begun)
{
    record_time(log, &SessionRecord::auth_time, loop, begun);
    if (std::holds_alternative<auth::Failure>(verdict)) {
        log.set_result(log::Result::service_error);
    }
}

void record_mailbox(const log::SessionLog& log, const auth::Mailbox& mailbox)
{
    if (SessionRecord* const record = log.record(); record != nullptr) {
        record->upstream_user = mailbox.login.substr(0, log::kLogValueMax);
        record->upstream_host = mailbox.host;
    }
}

void record_upstream(const log::SessionLog& log, const backend::Connection& backend)
{
    SessionRecord* const record = log.record();
    if (record != nullptr && backend.address().size() > 0) {
        record->upstream_address = backend.address().text();
    }
}

void record_time(const log::SessionLog& log,
                 std::optional<SessionRecord::Duration> SessionRecord::* which,
                 const net::Loop& loop, net::Clock::time_point begun)
{
    if (SessionRecord* const record = log.record(); record != nullptr) {
        record->*which = since(begun, loop);
    }
}

void write_login(log::SessionLog& log, const net::Loop& loop)
{
    SessionRecord* const record = log.record();
    if (record == nullptr) {
        return;
    }
    record->result = log::Result::ok;
    record->now = loop.now();
    record->login_time = since(record->accepted, loop);
    if (record->logs != nullptr) {
        record->logs->write_login(*record);
    }
    if (record->logs == nullptr || !record->logs->wants_ends()) {
        log.drop_record();
    }
}

void write_end(log::SessionLog& log, const net::Loop& loop)
{
    SessionRecord* const record = log.record();
    if (record == nullptr) {
        return;
    }
    if (record->closed_by.empty()) {
        record->closed_by = "proxy";
    }
    write_end(*record, loop);
}

void write_end(log::SessionLog& log, const net::Loop& loop, const relay::Result& result)
{
    SessionRecord* const record = log.record();
    if (record == nullptr) {
        return;
    }
    record->bytes_received = result.bytes_from_client;
    record->bytes_sent = result.bytes_to_client;
    record->closed_by = closed_by(result.end);
    write_end(*record, loop);
}

}  // namespace postern::session
