#pragma once

#include <optional>

#include "tls/key_schedule.h"
#include "tls/lean/channel.h"
#include "tls/openssl.h"

namespace postern::tls::lean {

// Keeps an eye on what OpenSSL does with connections of this context, one of `new_context`, so that
// they can go on without it: the key schedule tells the secrets, OpenSSL tells the records to a
// callback. False: not possible, as the system's configuration has another key schedule.
bool watch(ssl_ctx_st& context);

// To be there while OpenSSL shakes hands for that connection, whose context is known for certain
// only once the client has said what server it wants.
class WatchedHandshake final : private TrafficSecretListener
{
public:
    explicit WatchedHandshake(ssl_st& ssl) : ssl_(ssl) {}

private:
    void on_secret(bool is_clients, Octets secret) override;

    ssl_st& ssl_;
};

// Has the connection come to secrets that were seen?
bool is_watched(const ssl_st& ssl);
// What a connection goes on with, if it is TLS 1.3 with one of our suites, its handshake is over,
// and OpenSSL holds nothing of it: no bytes that were not read, no part of a record or message. To
// be asked after a read; never after OpenSSL has reported an error.
std::optional<Channel::Beginning> take_over(ssl_st& ssl, Engine& engine);

}  // namespace postern::tls::lean
