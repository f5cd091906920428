// What an access log is told of a session while it goes on. All of these do nothing if the session
// keeps no record.
#pragma once

#include <string_view>

#include "auth/authenticator.h"
#include "backend/connection.h"
#include "log/session_log.h"
#include "relay/relay.h"
#include "session/session.h"

namespace postern::session {

// Makes the record, if somebody wants one.
void record_arrival(log::SessionLog& log, const Arrival& arrival);
// Whose client it is, as far as we know.
void record_server(const log::SessionLog& log, const Server& server);
// Who really calls.
void record_peer(const log::SessionLog& log, const auth::Peer& peer);
// After the handshake, which has begun then.
void record_tls(const log::SessionLog& log, const net::Stream& client, const auth::PeerTls& tls,
                net::Clock::time_point begun);
void record_certificate(const log::SessionLog& log, const auth::PeerTls& tls);
void record_claim(const log::SessionLog& log, const auth::Claim& claim);
// What came of asking who it is, which had begun then.
void record_verdict(const log::SessionLog& log, const auth::Verdict& verdict, const net::Loop& loop,
                    net::Clock::time_point begun);
void record_mailbox(const log::SessionLog& log, const auth::Mailbox& mailbox);
void record_upstream(const log::SessionLog& log, const backend::Connection& backend);

// How long something took that has begun then and is over now.
void record_time(const log::SessionLog& log,
                 std::optional<log::SessionRecord::Duration> log::SessionRecord::* which,
                 const net::Loop& loop, net::Clock::time_point begun);

// The lines. A record that nobody needs any more is gone after the login's. Throws std::bad_alloc.
void write_login(log::SessionLog& log, const net::Loop& loop);
// Of a session that had no login.
void write_end(log::SessionLog& log, const net::Loop& loop);
void write_end(log::SessionLog& log, const net::Loop& loop, const relay::Result& result);

}  // namespace postern::session
