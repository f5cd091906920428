// What the client (client.cpp) asks of a TLS library; openssl.cpp, gnutls.cpp and nss.cpp answer.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace client {

struct Settings {
    std::string suite;         // "aes128", "aes256", "chacha20", "ccm"; empty: the library's choice
    bool is_tls12 = false;     // no later version
    std::size_t padding = 0;   // of records that are sent, about as many bytes at most
    std::size_t fragment = 0;  // max_fragment_length to ask for (RFC 6066 section 4)
    std::size_t requests = 2;  // each so many updates of keys during an exchange, the server's too
    std::string certificate;   // PEM files, for a client with a certificate
    std::string key;
};

enum class Status {
    done,
    again,      // when the socket is ready
    closed,     // with close_notify
    truncated,  // without
    failed,
};

struct Result {
    Status status = Status::done;
    std::size_t bytes = 0;
    std::string error = {};
};

// One connection on a socket that doesn't wait.
class Tls
{
public:
    virtual ~Tls() = default;
    virtual Result handshake() = 0;
    virtual Result read(std::span<char> space) = 0;
    // After `again`, the same bytes are to be written again.
    virtual Result write(std::string_view bytes) = 0;
    // A key of our own; `requests`: the peer's too. After `again`, to be called again.
    virtual Result update_keys(bool requests) = 0;
    // close_notify.
    virtual Result say_goodbye() = 0;
    // "TLSv1.3 TLS_AES_128_GCM_SHA256 resumed", or "... full".
    virtual std::string description() = 0;
};

// Connections of one process resume the session of the one before.
std::unique_ptr<Tls> make_tls(int descriptor, const Settings& settings);

}  // namespace client
