#include "tls/lean/witness.h"

#include <openssl/crypto.h>
#include <openssl/ssl.h>

#include <memory>
#include <string_view>

#include "base/text.h"

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

int digit(char hex)
{
    return hex <= '9' ? hex - '0' : (hex | 0x20) - 'a' + 10;
}

// OpenSSL tells a secret when it sets the key: the next record of that direction is the first one.
// "LABEL CLIENT_RANDOM SECRET", both in hexadecimal digits.
void on_secret(const SSL* ssl, const char* line)
{
    const std::string_view text(line);
    const bool is_clients = text.starts_with("CLIENT_TRAFFIC_SECRET_0 ");
    if (!is_clients && !text.starts_with("SERVER_TRAFFIC_SECRET_0 ")) {
        return;
    }
    const std::string_view secret = text.substr(text.rfind(' ') + 1);
    if (secret.size() > 2 * kSecretBytesMax) {
        return;
    }
    Witness* witness = witness_of(ssl);
    if (witness == nullptr) {
        auto made = std::make_unique<Witness>();
        auto* const connection = const_cast<SSL*>(ssl);
        if (SSL_set_ex_data(connection, witness_index(), made.get()) != 1) {
            return;
        }
        witness = made.release();
        SSL_set_msg_callback(connection, on_message);
        SSL_set_msg_callback_arg(connection, witness);
    }
    const bool is_read = is_clients == (SSL_is_server(ssl) == 1);
    Direction& direction = is_read ? witness->reads : witness->writes;
    for (std::size_t i = 0; i < secret.size() / 2; ++i) {
        direction.keys.secret[i] =
            static_cast<unsigned char>(digit(secret[2 * i]) << 4 | digit(secret[2 * i + 1]));
    }
    direction.keys.sequence = 0;
    direction.has_secret = true;
    if (is_read) {
        witness->in_record = false;
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

void watch(ssl_ctx_st& context)
{
    witness_index();
    SSL_CTX_set_keylog_callback(&context, on_secret);
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
