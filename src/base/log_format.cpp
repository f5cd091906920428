#include "base/log_format.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "base/text.h"

namespace postern {

namespace {

using enum LogVariable;

constexpr auto kVariables = std::to_array<LogVariableName>({
    {time_local, "time_local", "local time, `24/Nov/2026:11:14:07 +0100`"},
    {time_iso8601, "time_iso8601", "local time, `2026-11-24T11:14:07+01:00`"},
    {msec, "msec", "seconds since 1970, with milliseconds"},
    {hostname, "hostname", "the host's name"},
    {pid, "pid", "the worker's process"},
    {connection, "connection", "the session's number, as `*N` in the error log"},
    {event, "event", "`login` or `end`: when the line was written"},
    {protocol, "protocol", "`imap`, `pop3` or `smtp`"},
    {remote_addr, "remote_addr", "the client's address; `unix:` for a UNIX socket"},
    {remote_port, "remote_port", "the client's port"},
    {realip_remote_addr, "realip_remote_addr",
     "the address that has connected, be it a load balancer's"},
    {realip_remote_port, "realip_remote_port", "its port"},
    {proxy_protocol_addr, "proxy_protocol_addr",
     "the client's address in a PROXY header, be it believed or not"},
    {proxy_protocol_port, "proxy_protocol_port", "its port"},
    {proxy_protocol_server_addr, "proxy_protocol_server_addr",
     "the address that a PROXY header says the client came to"},
    {proxy_protocol_server_port, "proxy_protocol_server_port", "its port"},
    {server_addr, "server_addr", "our address that was connected to"},
    {server_port, "server_port", "its port"},
    {server_name, "server_name", "the first `server_name` of the server"},
    {ssl_protocol, "ssl_protocol", "`TLSv1.3`; nothing without TLS"},
    {ssl_cipher, "ssl_cipher", "`TLS_AES_256_GCM_SHA384`"},
    {ssl_server_name, "ssl_server_name", "the name that the client asked for in TLS"},
    {ssl_session_reused, "ssl_session_reused", "`r` if the TLS session was resumed, else `.`"},
    {ssl_client_verify, "ssl_client_verify", "`SUCCESS`, `NONE` or `FAILED:reason`"},
    {ssl_client_s_dn, "ssl_client_s_dn", "the subject of the client's certificate"},
    {ssl_client_i_dn, "ssl_client_i_dn", "its issuer"},
    {ssl_client_serial, "ssl_client_serial", "its serial number"},
    {ssl_client_fingerprint, "ssl_client_fingerprint", "its SHA-1"},
    {ssl_handshake_time, "ssl_handshake_time", "how long the TLS handshake took"},
    {auth_method, "auth_method",
     "`plain`, `apop`, `cram-md5`, `external` or `none`, of the last attempt to log in"},
    {sasl_mechanism, "sasl_mechanism", "`PLAIN`, `LOGIN`, …; nothing for a plain login command"},
    {remote_user, "remote_user", "who the client said it is"},
    {login_attempts, "login_attempts", "how often it said so"},
    {auth_time, "auth_time", "how long the last answer about it took, `auth_http` or `auth_file`"},
    {result, "result", "what became of the login, see below"},
    {reason, "reason", "why, in the words of the error log; nothing if it is well"},
    {upstream_user, "upstream_user", "the name for the login at the mailbox server"},
    {upstream_host, "upstream_host", "the mailbox server as it was named"},
    {upstream_addr, "upstream_addr", "its address and port"},
    {upstream_connect_time, "upstream_connect_time",
     "how long it took until there was a connection to it, names and TLS included"},
    {upstream_login_time, "upstream_login_time", "how long the login there took"},
    {login_time, "login_time", "from the connection to the login"},
    {bytes_received, "bytes_received", "from the client, since the login"},
    {bytes_sent, "bytes_sent", "to the client, since the login"},
    {session_time, "session_time", "from the connection until now"},
    {closed_by, "closed_by", "who has ended the session, see below"},
});

LogFormat predefined(std::string_view text, LogFormat::Escape escape)
{
    auto format = LogFormat::parse(text, escape);
    POSTERN_ASSERT(format.has_value());
    return std::move(*format);
}

constexpr bool is_name(char c)
{
    return is_alpha(c) || is_digit(c) || c == '_';
}

std::optional<LogVariable> find_variable(std::string_view name)
{
    const auto* const found = std::ranges::find(kVariables, name, &LogVariableName::name);
    return found == kVariables.end() ? std::nullopt : std::optional(found->variable);
}

}  // namespace

std::span<const LogVariableName> log_variables()
{
    return kVariables;
}

std::expected<LogFormat, std::string> LogFormat::parse(std::string_view text, Escape escape)
{
    LogFormat format{.escape = escape, .parts = {}};
    std::string before;
    while (!text.empty()) {
        const std::size_t dollar = std::min(text.find('$'), text.size());
        before += text.substr(0, dollar);
        text.remove_prefix(dollar);
        if (text.empty()) {
            break;
        }
        text.remove_prefix(1);
        const bool in_braces = text.starts_with('{');
        text.remove_prefix(in_braces ? 1 : 0);
        const auto end = std::ranges::find_if_not(text, is_name);
        const std::string_view name(text.begin(), end);
        text.remove_prefix(name.size());
        if (in_braces && !text.starts_with('}')) {
            return std::unexpected(
                concat({"the closing bracket in \"", name, "\" variable is missing"}));
        }
        text.remove_prefix(in_braces ? 1 : 0);
        const auto variable = find_variable(name);
        if (!variable) {
            return std::unexpected(name.empty() ? "invalid variable name"
                                                : concat({"unknown \"", name, "\" variable"}));
        }
        format.parts.push_back({std::move(before), variable});
        before.clear();
    }
    if (!before.empty()) {
        format.parts.push_back({std::move(before), std::nullopt});
    }
    return format;
}

const LogFormat* predefined_log_format(std::string_view name)
{
    static const LogFormat kMain = predefined(
        "$remote_addr $protocol \"$remote_user\" [$time_local] $result $upstream_addr "
        "$bytes_received $bytes_sent $login_time $session_time $ssl_protocol $closed_by "
        "\"$reason\"",
        LogFormat::Escape::standard);
    static const LogFormat kJson = predefined(
        R"({"time":"$time_iso8601","event":"$event","connection":$connection,)"
        R"("protocol":"$protocol","server_name":"$server_name","remote_addr":"$remote_addr",)"
        R"("remote_port":$remote_port,"realip_remote_addr":"$realip_remote_addr",)"
        R"("proxy_protocol_addr":"$proxy_protocol_addr","ssl_protocol":"$ssl_protocol",)"
        R"("ssl_cipher":"$ssl_cipher","ssl_server_name":"$ssl_server_name",)"
        R"("ssl_session_reused":"$ssl_session_reused","ssl_client_s_dn":"$ssl_client_s_dn",)"
        R"("auth_method":"$auth_method","sasl_mechanism":"$sasl_mechanism",)"
        R"("remote_user":"$remote_user","login_attempts":$login_attempts,"result":"$result",)"
        R"("reason":"$reason","upstream_host":"$upstream_host","upstream_addr":"$upstream_addr",)"
        R"("upstream_user":"$upstream_user","ssl_handshake_time":$ssl_handshake_time,)"
        R"("auth_time":$auth_time,"upstream_connect_time":$upstream_connect_time,)"
        R"("upstream_login_time":$upstream_login_time,"login_time":$login_time,)"
        R"("session_time":$session_time,"bytes_received":$bytes_received,)"
        R"("bytes_sent":$bytes_sent,"closed_by":"$closed_by"})",
        LogFormat::Escape::json);
    return name == "main" ? &kMain : name == "json" ? &kJson : nullptr;
}

}  // namespace postern
