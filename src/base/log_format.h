// What a line of an access log is made of: what "log_format" says, shared by config/ (reads it) and
// log/ (fills it in).
#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace postern {

// "$NAME" in a "log_format", in the order in which a session comes to know them.
enum class LogVariable : unsigned char {
    time_local,
    time_iso8601,
    msec,
    hostname,
    pid,
    connection,
    event,
    protocol,
    remote_addr,
    remote_port,
    realip_remote_addr,
    realip_remote_port,
    proxy_protocol_addr,
    proxy_protocol_port,
    proxy_protocol_server_addr,
    proxy_protocol_server_port,
    server_addr,
    server_port,
    server_name,
    ssl_protocol,
    ssl_cipher,
    ssl_server_name,
    ssl_session_reused,
    ssl_client_verify,
    ssl_client_s_dn,
    ssl_client_i_dn,
    ssl_client_serial,
    ssl_client_fingerprint,
    ssl_handshake_time,
    auth_method,
    sasl_mechanism,
    remote_user,
    login_attempts,
    auth_time,
    result,
    reason,
    upstream_user,
    upstream_host,
    upstream_addr,
    upstream_connect_time,
    upstream_login_time,
    login_time,
    bytes_received,
    bytes_sent,
    session_time,
    closed_by,
};

// A variable as the reference shows it.
struct LogVariableName {
    LogVariable variable;
    std::string_view name;     // without "$"
    std::string_view meaning;  // in the markup of the reference: `code`
};
std::span<const LogVariableName> log_variables();

struct LogFormat {
    // How a value that strangers have a say in is made harmless.
    enum class Escape : unsigned char {
        standard,  // `"`, `\`, control characters and what is not ASCII as \xHH; nothing as "-"
        json,      // for inside of quotes, whatever bytes there are; nothing as "", outside null
        none,      // only what would begin another line is escaped
    };
    struct Part {
        std::string text;                     // as it is, and then
        std::optional<LogVariable> variable;  // what it stands for
    };

    Escape escape = Escape::standard;
    std::vector<Part> parts;

    // Reads "$name" and "${name}". The error is NGINX's message: `unknown "foo" variable`.
    static std::expected<LogFormat, std::string> parse(std::string_view text, Escape escape);
};

// The formats "main" and "json", which are there without a "log_format"; null: no such one.
const LogFormat* predefined_log_format(std::string_view name);

}  // namespace postern
