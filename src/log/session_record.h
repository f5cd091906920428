// What became of one session, for the access log: filled in as it goes on.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postern::log {

class AccessLogs;

// A longer value is cut: one line can't fill a disk.
inline constexpr std::size_t kLogValueMax = 1024;

// How a login ended. What comes later is in closed_by.
enum class Result : unsigned char {
    no_login,            // the client has left without having tried
    ok,                  // it is logged in
    refused,             // the service, or the users file, has said no
    upstream_refused,    // the mailbox server has
    service_error,       // nobody could say
    upstream_error,      // the mailbox server was not there, or did something else
    denied,              // by "deny"
    limited,             // by one of the limits
    tls_error,           // no handshake, or no certificate
    proxy_header_error,  // no PROXY header that could be read
    client_error,        // too many errors, commands or bytes
    timed_out,
    shut_down,       // Postern was told to stop
    internal_error,  // there was no memory
};
std::string_view to_string(Result result);  // "no_login"

struct SessionRecord {
    using Clock = std::chrono::steady_clock;
    using Duration = std::chrono::milliseconds;

    struct Place {
        std::string address;  // empty: there is none
        std::uint16_t port = 0;
    };
    struct Tls {
        std::string protocol;  // empty: there was no TLS
        std::string cipher;
        std::string server_name;
        bool resumed = false;
        std::string verify;  // of the client's certificate, as are the next
        std::string subject;
        std::string issuer;
        std::string serial;
        std::string fingerprint;
    };

    const AccessLogs* logs = nullptr;  // where its lines go; null: nowhere
    std::uint64_t connection = 0;
    std::string_view protocol;     // "imap"
    std::string_view server_name;  // these two outlive it
    Place client;
    Place peer;  // who has connected
    Place server;
    Place proxied_source;
    Place proxied_destination;
    Tls tls;

    std::string_view auth_method;
    std::string_view sasl_mechanism;
    std::string user;
    unsigned attempts = 0;
    Result result = Result::no_login;
    std::string reason;
    std::string last_line;  // of the error log, be it written or not
    std::string upstream_user;
    std::string upstream_host;
    std::string upstream_address;  // with its port

    Clock::time_point accepted;
    Clock::time_point now;  // of the line
    std::optional<Duration> handshake_time;
    std::optional<Duration> auth_time;
    std::optional<Duration> upstream_connect_time;
    std::optional<Duration> upstream_login_time;
    std::optional<Duration> login_time;
    std::uint64_t bytes_received = 0;
    std::uint64_t bytes_sent = 0;
    std::string_view closed_by;
};

}  // namespace postern::log
