// Who is it, and where is the mailbox: the one question that a session asks of auth_http, auth_file
// and whatever comes later.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/secret.h"
#include "config/settings.h"
#include "log/session_log.h"
#include "net/proxy_header.h"
#include "net/task.h"
#include "tls/peer_certificate.h"

namespace postern::auth {

enum class Method : unsigned char { plain, apop, cram_md5, external, none };

// The words of Auth-Method: "plain", "apop", "cram-md5", "external", "none".
std::string_view to_string(Method method);

// One attempt: what the client says it is. A new object each time, so that nothing of an earlier
// attempt survives.
struct Claim {
    Method method = Method::plain;
    std::string_view mechanism;  // the SASL mechanism's name; empty: none was used
    std::string login;
    Secret password;   // or the digest, for apop and cram_md5; empty for external and none
    std::string salt;  // apop and cram_md5: the challenge, "<RAND.TIME@NAME>"
    // SMTP only. helo: as the client said, may be empty; from and to (method none): the whole
    // commands.
    std::string smtp_helo;
    std::string smtp_from;
    std::string smtp_to;
};

// What TLS says of a client that is under it.
struct PeerTls {
    std::string protocol;  // "TLSv1.3"
    std::string cipher;    // "TLS_AES_256_GCM_SHA384"
    // "SUCCESS", "NONE" or "FAILED:reason"; empty with "ssl_verify_client off".
    std::string verify;
    // Of its certificate, if it was asked for one and has sent it.
    std::optional<tls::PeerCertificate> certificate;
};

// Whose attempt it is.
struct Peer {
    config::Protocol protocol = config::Protocol::imap;
    SocketAddress client_address;
    std::string client_ip;    // as text; "unix:" for a UNIX socket
    std::string client_host;  // SMTP: a verified name, "[UNAVAILABLE]" or "[TEMPUNAVAIL]"
    // What a PROXY header says, be it believed or not.
    std::optional<net::ProxyHeader::Addresses> proxied;
    unsigned attempt = 1;        // of this connection
    std::optional<PeerTls> tls;  // nothing: the connection is not encrypted
};

// Accepted: where the mailbox is and how to log in to it.
struct Mailbox {
    std::string host;  // an IP address, a name, or "unix:PATH"
    std::uint16_t port = 0;
    std::string login;
    Secret password;
    bool has_password = false;
    // What this user's connection to the mailbox is to be, where it differs from "proxy_ssl" and
    // its kin.
    std::optional<config::ProxySsl> ssl;
    std::optional<bool> ssl_verify;
    std::string ssl_name;  // to be in the mailbox server's certificate; empty: not said
};

// A "no" for the client to read. Held back for `wait`, after which the client may try again;
// without one the connection ends.
struct Refusal {
    std::string text;
    std::string error_code;  // SMTP: "535 5.7.0" unless the service says otherwise
    std::chrono::seconds wait{0};
};

// Nobody can say. It is logged already; the client gets the internal-error reply and the connection
// ends.
struct Failure {
};

using Verdict = std::variant<Mailbox, Refusal, Failure>;

// One a server{} and event loop.
class Authenticator
{
public:
    virtual ~Authenticator() = default;

    // Logs what goes wrong (a refusal's line is the session's). `claim` and `peer` live until it
    // returns.
    virtual net::Task<Verdict> check(const Claim& claim, const Peer& peer,
                                     log::SessionLog& log) = 0;
};

}  // namespace postern::auth
