#pragma once

#include <optional>

#include "tls/lean/channel.h"
#include "tls/openssl.h"

namespace postern::tls::lean {

// Keeps an eye on what OpenSSL does with connections of this context, so that they can go on
// without it: OpenSSL tells secrets and records to callbacks, and nobody else about them.
void watch(ssl_ctx_st& context);
// Has the connection come to secrets that were seen?
bool is_watched(const ssl_st& ssl);
// What a connection goes on with, if it is TLS 1.3 with one of our suites, its handshake is over,
// and OpenSSL holds nothing of it: no bytes that were not read, no part of a record or message. To
// be asked after a read; never after OpenSSL has reported an error.
std::optional<Channel::Beginning> take_over(ssl_st& ssl, Engine& engine);

}  // namespace postern::tls::lean
