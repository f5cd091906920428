#include "tls/lean/witness.h"

#include <openssl/crypto.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <memory>
#include <new>

namespace postern::tls::lean {

namespace {

// One direction, since its application traffic secret (RFC 8446 section 7.1) was set.
struct Direction {
    bool has_secret = false;
    unsigned updates = 0;  // of keys
    TrafficKeys keys;      // the first secret, and the number of the next record
};

struct Witness {
    Direction reads;
    Direction writes;
    bool in_record = false;   // its header was read and the rest was not
    bool after_data = false;  // what was read last was application data
};

void free_witness(void*, void* witness, CRYPTO_EX_DATA*, int, long, void*)
{
    delete static_cast<Witness*>(witness);
}

int witness_index()
{
    static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, free_witness);
    return index;
}

// Set in contexts that are watched.
int context_index()
{
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

Witness* witness_of(const SSL* ssl)
{
    return static_cast<Witness*>(SSL_get_ex_data(ssl, witness_index()));
}

// Each record is told with its type, after it was opened or sealed; and each message.
void on_message(int written, int, int content_type, const void* bytes, std::size_t size, SSL*,
                void* argument)
{
    Witness& witness = *static_cast<Witness*>(argument);
    Direction& direction = written != 0 ? witness.writes : witness.reads;
    const auto* const text = static_cast<const unsigned char*>(bytes);
    switch (content_type) {
    case SSL3_RT_HEADER:
        if (written == 0) {
            witness.in_record = true;
        }
        break;
    case SSL3_RT_INNER_CONTENT_TYPE:
        ++direction.keys.sequence;
        if (written == 0) {
            witness.in_record = false;
            witness.after_data = size == 1 && *text == SSL3_RT_APPLICATION_DATA;
        }
        break;
    case SSL3_RT_HANDSHAKE:
        if (size > 0 && *text == SSL3_MT_KEY_UPDATE) {
            ++direction.updates;
            direction.keys.sequence = 0;
        }
        break;
    default:
        break;
    }
}

TrafficKeys keys_of(const Direction& direction, Suite suite)
{
    TrafficKeys keys = direction.keys;
    for (unsigned i = 0; i < direction.updates; ++i) {
        update_secret(keys, suite);
    }
    derive(keys, suite);
    keys.sequence = direction.keys.sequence;
    return keys;
}

// Does OpenSSL do anything here that we don't?
bool has_other_ways(const SSL* ssl)
{
    const std::uint64_t options = SSL_get_options(ssl);
    return (options & SSL_OP_IGNORE_UNEXPECTED_EOF) == 0 ||
           (options & SSL_OP_CLEANSE_PLAINTEXT) != 0;
}

}  // namespace

bool watch(ssl_ctx_st& context)
{
    witness_index();
    return has_key_schedule() && SSL_CTX_set_ex_data(&context, context_index(), &context) == 1;
}

// The keys are set with it: the next record of that direction is the first one.
void WatchedHandshake::on_secret(bool is_clients, Octets secret)
{
    if (SSL_CTX_get_ex_data(SSL_get_SSL_CTX(&ssl_), context_index()) == nullptr ||
        secret.size() > kSecretBytesMax) {
        return;
    }
    Witness* witness = witness_of(&ssl_);
    if (witness == nullptr) {
        std::unique_ptr<Witness> made(new (std::nothrow) Witness);  // OpenSSL sees no exception
        if (!made || SSL_set_ex_data(&ssl_, witness_index(), made.get()) != 1) {
            return;
        }
        witness = made.release();
        SSL_set_msg_callback(&ssl_, on_message);
        SSL_set_msg_callback_arg(&ssl_, witness);
    }
    const bool is_read = is_clients == (SSL_is_server(&ssl_) == 1);
    Direction& direction = is_read ? witness->reads : witness->writes;
    std::ranges::copy(secret, direction.keys.secret.begin());
    direction.keys.sequence = 0;
    direction.has_secret = true;
    if (is_read) {
        witness->in_record = false;
    }
}

bool is_watched(const ssl_st& ssl)
{
    return witness_of(&ssl) != nullptr;
}

std::optional<Channel::Beginning> take_over(ssl_st& ssl, Engine& engine)
{
    const Witness* const witness = witness_of(&ssl);
    if (witness == nullptr || !witness->reads.has_secret || !witness->writes.has_secret ||
        SSL_version(&ssl) != TLS1_3_VERSION || has_other_ways(&ssl)) {
        return std::nullopt;
    }
    const SSL_CIPHER* const cipher = SSL_get_current_cipher(&ssl);
    const auto suite = suite_of(SSL_CIPHER_get_protocol_id(cipher));
    if (!suite || !engine.has(*suite)) {
        return std::nullopt;
    }
    // A message may be split anywhere, but where data follows there is none.
    if (!SSL_is_init_finished(&ssl) || SSL_get_shutdown(&ssl) != 0 || !witness->after_data ||
        witness->in_record || SSL_has_pending(&ssl) != 0 ||
        SSL_get_key_update_type(&ssl) != SSL_KEY_UPDATE_NONE) {
        return std::nullopt;
    }
    Channel::Beginning beginning;
    beginning.suite = *suite;
    beginning.is_server = SSL_is_server(&ssl) == 1;
    const std::uint8_t fragment = SSL_SESSION_get_max_fragment_length(SSL_get0_session(&ssl));
    if (fragment != TLSEXT_max_fragment_length_DISABLED) {
        beginning.content_max = static_cast<std::uint16_t>(256 << fragment);
    }
    beginning.reads = keys_of(witness->reads, *suite);
    beginning.writes = keys_of(witness->writes, *suite);
    return beginning;
}

}  // namespace postern::tls::lean
