// What a configuration says, checked and merged: plain data that the rest of Postern reads. Field
// initialisers here are for types only: documented defaults come from the directive table, whose
// initial texts are run through the same setters as a file's.
#pragma once

#include <bitset>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/address.h"
#include "base/log_format.h"
#include "base/log_target.h"
#include "base/mechanisms.h"

namespace postern::config {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A place in a configuration, for messages: "FILE:LINE", or "command line" for -g.
struct Location {
    std::string file;
    unsigned line = 0;

    std::string text() const;  // "FILE:LINE"
};

enum class Protocol : unsigned char { imap, pop3, smtp };
std::string_view to_string(Protocol protocol);  // "imap", "pop3", "smtp"

// "so_keepalive": times of TCP keep-alive; absent ones are the system's.
struct KeepAlive {
    bool on = false;
    std::optional<seconds> idle;
    std::optional<seconds> interval;
    std::optional<int> count;
};

// One socket to listen on: an address of one "listen" (a host name or a port range makes several).
struct Listen {
    SocketAddress address;
    Protocol protocol = Protocol::imap;  // what is spoken here, from "protocol" or the port
    bool ssl = false;
    // For clients that ask for no name we know: one of each address, be it that it was written or
    // that it is the first.
    bool default_server = false;
    bool proxy_protocol = false;
    bool bind = false;  // or any of the options below: of an address one at most has them
    int backlog = 511;
    std::optional<int> rcvbuf;
    std::optional<int> sndbuf;
    bool ipv6only = true;
    bool multipath = false;  // MPTCP, RFC 8684
    std::optional<KeepAlive> so_keepalive;
    Location where;
};

using postern::Mechanisms;
using postern::StartTls;

// "auth_http": the HTTP service that knows users and their mailboxes.
struct AuthHttp {
    std::string host;  // as written, for the Host header: no port, [] kept; "localhost" for unix:
    std::uint16_t port = 80;  // 0 for unix:
    std::string unix_path;    // of "unix:PATH", else empty
    std::string uri = "/";    // "/path?query"
    bool https = false;
    Location where;

    bool operator==(const AuthHttp& other) const
    {
        return host == other.host && port == other.port && unix_path == other.unix_path &&
               uri == other.uri && https == other.https;
    }
};

// "auth_file": users in a file of Dovecot's passwd-file form.
struct AuthFile {
    std::string path;  // absolute
    // Where mailboxes live, for users whose line has no host= or port=. "default=HOST[:PORT]"; port
    // 0: the protocol's own.
    std::string default_host;
    std::uint16_t default_port = 0;
    Location where;
};

// "allow" and "deny": the first rule that matches decides; none: allowed.
struct AccessRule {
    enum class Who : unsigned char { all, unix_socket, network };
    bool allow = true;
    Who who = Who::all;
    Network network;
};

// Peers by the address that they connect from ("set_real_ip_from", "debug_connection"): any of a
// UNIX socket, or those of a network.
struct PeerRule {
    bool unix_socket = false;
    Network network;
};

// "proxy_protocol": what a mailbox server is told of the client before all else.
enum class ProxyProtocol : unsigned char { off, v1, v2 };

// "resolver": DNS servers; none: those of the system (/etc/resolv.conf).
struct Resolver {
    bool configured = false;             // by the directive: SMTP clients' names are looked up
    std::vector<SocketAddress> servers;  // port 53 unless written
    std::optional<seconds> valid;        // overrides the answers' TTL
    bool ipv4 = true;
    bool ipv6 = true;

    bool operator==(const Resolver&) const = default;
};

// What is loaded or made later, by tls/, and where it was written: errors name that place.
// Two are equal if they say the same, wherever it stands.
struct Written {
    std::string text;  // empty: not written
    Location where;

    bool operator==(const Written& other) const { return text == other.text; }
};

// "ssl_conf_command" and its kin: NAME VALUE as in OpenSSL's configuration files.
struct SslCommand {
    std::string name;
    Written value;

    bool operator==(const SslCommand&) const = default;
};

// "TLSv1.2", "TLSv1.3", ...
struct SslProtocols {
    std::vector<std::string> names;
    Location where;

    bool operator==(const SslProtocols& other) const { return names == other.names; }
};

// A certificate with its chain, and its key: files (absolute paths), or "data:PEM".
struct SslPair {
    Written certificate;
    Written key;  // also "engine:NAME:ID" or "store:URI"; empty: none was written

    bool operator==(const SslPair&) const = default;
};

// "ssl_session_cache": one part for the process, and one that workers share.
struct SslSessionCache {
    enum class Own : unsigned char {
        off,   // resumption is refused openly
        none,  // it is offered, but nothing is kept
        builtin
    };
    Own own = Own::none;
    unsigned builtin_sessions = 0;  // 0: OpenSSL's default
    std::string zone;               // of "shared:NAME:SIZE", else empty
    std::size_t zone_bytes = 0;
    Location where;  // of the directive

    bool operator==(const SslSessionCache& other) const
    {
        return own == other.own && builtin_sessions == other.builtin_sessions &&
               zone == other.zone && zone_bytes == other.zone_bytes;
    }
};

enum class VerifyClient : unsigned char { off, on, optional, optional_no_ca };

// The ssl_* directives: TLS where we are the server. Only servers with "listen ... ssl" or
// "starttls on|only" use them.
struct Ssl {
    std::vector<SslPair> pairs;  // empty: a self-signed certificate is made
    Written password_file;       // absolute path: pass phrases for the keys, one a line
    SslProtocols protocols;
    Written ciphers;
    bool prefer_server_ciphers = false;
    Written ecdh_curve;  // "auto" or a list
    Written dhparam;     // absolute path, or empty
    SslSessionCache session_cache;
    seconds session_timeout{300};
    bool session_tickets = true;
    std::vector<Written> session_ticket_keys;  // absolute paths
    VerifyClient verify_client = VerifyClient::off;
    Location verify_client_where;
    unsigned verify_depth = 1;
    Written client_certificate;   // absolute path: trusted, and named to clients
    Written trusted_certificate;  // absolute path: trusted
    Written crl;                  // absolute path
    std::vector<SslCommand> conf_commands;
    bool lean = false;

    // Do both say the same, wherever it stands?
    bool operator==(const Ssl& other) const;
};

// proxy_ssl_* and auth_http_ssl_*: TLS where we are the client.
struct ClientSsl {
    bool verify = false;
    bool verify_is_written = false;  // by the administrator, in either sense
    unsigned verify_depth = 1;
    std::string name;             // to be in the peer's certificate, and asked for; empty: the host
    bool server_name = false;     // is the name asked for (Server Name Indication)?
    Written trusted_certificate;  // absolute path; empty: those that the system trusts
    Written crl;                  // absolute path
    SslPair pair;                 // our own certificate, if any
    Written password_file;        // absolute path
    SslProtocols protocols;
    Written ciphers;
    bool session_reuse = true;
    std::vector<SslCommand> conf_commands;
    bool lean = false;  // of mailbox servers' alone

    bool operator==(const ClientSsl&) const = default;
};

// "proxy_ssl": how the connection to a mailbox server is protected.
enum class ProxySsl : unsigned char { off, on, starttls };
// "off", "on" or "starttls", in any case.
std::optional<ProxySsl> parse_proxy_ssl(std::string_view word);

// "limit_conn" and "limit_newcomers": how many at a time; 0: off.
struct ConnLimits {
    unsigned total = 0;
    unsigned address = 0;
    unsigned network = 0;
};

// "limit_conn_rate" and "limit_handshakes": so many a time, 0: off; `burst` may come early.
struct Rate {
    std::uint64_t per_1000_seconds = 0;
    unsigned burst = 0;
};
struct ConnRates {
    Rate address;
    Rate network;
};
// "limit_auth_failures": failed logins of one client address, or of one user name.
struct AuthFailureLimit {
    unsigned most = 0;     // before logins are refused; 0: off
    milliseconds delay{};  // of the answer to the first; doubles with each
    seconds time{};        // until they are forgotten, and for which logins are refused
};
inline constexpr seconds kLongestFailureDelay{60};
inline constexpr seconds kLongestFailureTime{30 * 24 * 3600};

// "access_log": a line for each session.
struct AccessLog {
    static constexpr std::size_t kBufferMax = 64 << 20;

    LogTarget target;  // its level: of the lines, for syslog
    std::shared_ptr<const LogFormat> format;
    std::size_t buffer_bytes = 0;       // 0: there is none
    std::optional<milliseconds> flush;  // of the buffer; nothing: when it is full
    bool at_login = false;              // else when the session ends
};

// One server { } block, with all that it inherits.
struct MailServer {
    Location where;  // of its "{"
    std::vector<Listen> listens;

    std::string server_name;  // how we call ourselves
    // All names of "server_name", lower case, which clients may ask for in TLS: exact ones and
    // "*.DOMAIN". Not those that the host name stands in for.
    std::vector<std::string> names;
    milliseconds timeout{};
    unsigned max_errors = 0;
    unsigned max_commands = 0;          // commands before login that are well-formed; ours
    milliseconds login_timeout{};       // 0: off
    std::size_t limit_login_bytes = 0;  // 0: off
    AuthFailureLimit address_failures;
    AuthFailureLimit user_failures;
    StartTls starttls = StartTls::off;
    Location starttls_where;  // for messages
    std::vector<PeerRule> real_ip_from;
    std::vector<AccessRule> access;
    ConnLimits limit_conn;
    ConnLimits limit_newcomers;
    ConnRates limit_conn_rate;
    Rate limit_handshakes;
    std::vector<PeerRule> limit_exempt;
    LogLevel limit_log_level = LogLevel::error;
    bool limit_dry_run = false;
    std::vector<LogTarget> error_logs;  // empty: the main ones
    std::vector<AccessLog> access_logs;
    Resolver resolver;
    milliseconds resolver_timeout{};

    Mechanisms imap_auth;
    std::vector<std::string> imap_capabilities;
    std::size_t imap_client_buffer = 0;
    Mechanisms pop3_auth;
    std::vector<std::string> pop3_capabilities;
    std::size_t pop3_client_buffer = 0;  // ours: NGINX's is fixed at 128 bytes
    Mechanisms smtp_auth;
    std::vector<std::string> smtp_capabilities;
    std::size_t smtp_client_buffer = 0;
    milliseconds smtp_greeting_delay{};

    // Where users are looked up: the directive that was written last in the innermost block.
    std::variant<std::monostate, AuthHttp, AuthFile> auth;
    milliseconds auth_http_timeout{};
    unsigned auth_http_keepalive = 0;  // ours: idle connections kept to the service, per event
                                       // loop; 0: NGINX's HTTP/1.0, one request a connection
    std::vector<std::pair<std::string, std::string>> auth_http_headers;
    bool auth_http_pass_client_cert = false;
    ClientSsl auth_http_ssl;

    std::size_t proxy_buffer = 0;
    milliseconds proxy_timeout{};
    bool proxy_pass_error_message = false;
    bool proxy_smtp_auth = false;
    bool xclient = false;
    ProxyProtocol proxy_protocol = ProxyProtocol::off;
    ProxySsl proxy_ssl = ProxySsl::off;
    Location proxy_ssl_where;
    ClientSsl proxy_ssl_settings;

    Ssl ssl;
};

struct Events {
    unsigned worker_connections = 0;  // per event loop
    bool multi_accept = false;
    std::vector<PeerRule> debug_connections;  // "debug_connection"
};

// Processors, as sched_setaffinity(2) knows them.
using CpuMask = std::bitset<1024>;

// "worker_cpu_affinity": the n-th mask is for the n-th event loop, and the last one for the rest.
// Automatic: each loop has one processor of the last mask, in turn.
struct CpuAffinity {
    bool automatic = false;
    std::vector<CpuMask> masks;  // empty: wherever the system likes
};

struct Settings {
    std::string directory;          // of the main configuration file
    std::string user;               // empty: the user that started Postern
    std::string group;              // empty: the user's own
    unsigned worker_processes = 1;  // event loops; auto is resolved already
    std::optional<std::uint64_t> worker_rlimit_nofile;
    std::optional<std::uint64_t> worker_rlimit_core;
    int worker_priority = 0;  // nice value
    CpuAffinity worker_cpu_affinity;
    milliseconds worker_shutdown_timeout{};
    std::string pid;                    // absolute path
    std::vector<LogTarget> error_logs;  // of the main level; never empty after load
    bool daemon = true;
    bool master_process = true;
    bool sandbox = true;
    bool sandbox_is_written = false;
    std::string working_directory;
    // NAME or NAME=VALUE: what workers keep of the environment (and TZ).
    std::vector<std::pair<std::string, std::optional<std::string>>> environment;

    Events events;
    std::vector<MailServer> servers;
};

}  // namespace postern::config
