#include "log/access_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/text.h"
#include "log/clock.h"

namespace postern::log {

namespace {

using Duration = SessionRecord::Duration;

// NGINX: seconds, with milliseconds.
std::string seconds(const std::optional<Duration>& time)
{
    return time ? fmt::format("{}.{:03}", time->count() / 1000, time->count() % 1000) : "";
}

std::string port(const SessionRecord::Place& place)
{
    return place.address.empty() ? "" : fmt::format_int(place.port).str();
}

std::string host_name()
{
    char name[256] = "";
    ::gethostname(name, sizeof name - 1);
    return to_lower(name);
}

std::string clock_msec()
{
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return seconds(std::chrono::duration_cast<Duration>(now));
}

// "" for what is not known.
std::string value(LogVariable variable, const SessionRecord& record, std::string_view event)
{
    switch (variable) {
    case LogVariable::time_local:
        return std::string(access_time());
    case LogVariable::time_iso8601:
        return std::string(iso8601_time());
    case LogVariable::msec:
        return clock_msec();
    case LogVariable::hostname:
        return host_name();
    case LogVariable::pid:
        return fmt::format_int(::getpid()).str();
    case LogVariable::connection:
        return fmt::format_int(record.connection).str();
    case LogVariable::event:
        return std::string(event);
    case LogVariable::protocol:
        return std::string(record.protocol);
    case LogVariable::remote_addr:
        return record.client.address;
    case LogVariable::remote_port:
        return port(record.client);
    case LogVariable::realip_remote_addr:
        return record.peer.address;
    case LogVariable::realip_remote_port:
        return port(record.peer);
    case LogVariable::proxy_protocol_addr:
        return record.proxied_source.address;
    case LogVariable::proxy_protocol_port:
        return port(record.proxied_source);
    case LogVariable::proxy_protocol_server_addr:
        return record.proxied_destination.address;
    case LogVariable::proxy_protocol_server_port:
        return port(record.proxied_destination);
    case LogVariable::server_addr:
        return record.server.address;
    case LogVariable::server_port:
        return port(record.server);
    case LogVariable::server_name:
        return std::string(record.server_name);
    case LogVariable::ssl_protocol:
        return record.tls.protocol;
    case LogVariable::ssl_cipher:
        return record.tls.cipher;
    case LogVariable::ssl_server_name:
        return record.tls.server_name;
    case LogVariable::ssl_session_reused:
        return record.tls.protocol.empty() ? "" : record.tls.resumed ? "r" : ".";
    case LogVariable::ssl_client_verify:
        return record.tls.verify;
    case LogVariable::ssl_client_s_dn:
        return record.tls.subject;
    case LogVariable::ssl_client_i_dn:
        return record.tls.issuer;
    case LogVariable::ssl_client_serial:
        return record.tls.serial;
    case LogVariable::ssl_client_fingerprint:
        return record.tls.fingerprint;
    case LogVariable::ssl_handshake_time:
        return seconds(record.handshake_time);
    case LogVariable::auth_method:
        return std::string(record.auth_method);
    case LogVariable::sasl_mechanism:
        return std::string(record.sasl_mechanism);
    case LogVariable::remote_user:
        return record.user;
    case LogVariable::login_attempts:
        return fmt::format_int(record.attempts).str();
    case LogVariable::auth_time:
        return seconds(record.auth_time);
    case LogVariable::result:
        return std::string(to_string(record.result));
    case LogVariable::reason:
        return record.result == Result::ok ? "" : record.reason;
    case LogVariable::upstream_user:
        return record.upstream_user;
    case LogVariable::upstream_host:
        return record.upstream_host;
    case LogVariable::upstream_addr:
        return record.upstream_address;
    case LogVariable::upstream_connect_time:
        return seconds(record.upstream_connect_time);
    case LogVariable::upstream_login_time:
        return seconds(record.upstream_login_time);
    case LogVariable::login_time:
        return seconds(record.login_time);
    case LogVariable::bytes_received:
        return fmt::format_int(record.bytes_received).str();
    case LogVariable::bytes_sent:
        return fmt::format_int(record.bytes_sent).str();
    case LogVariable::session_time:
        return seconds(std::chrono::duration_cast<Duration>(record.now - record.accepted));
    case LogVariable::closed_by:
        return std::string(record.closed_by);
    }
    std::unreachable();
}

bool is_control(char c)
{
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
}

// NGINX: escape=default.
void append_standard(std::string& line, std::string_view value)
{
    constexpr char kHex[] = "0123456789ABCDEF";
    for (const char c : value) {
        const auto byte = static_cast<unsigned char>(c);
        if (is_control(c) || byte > 0x7f || c == '"' || c == '\\') {
            line += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
        } else {
            line += c;
        }
    }
}

// For inside of quotes, RFC 8259 section 7. What is not UTF-8, which JSON can't hold, and what
// misleads viewers becomes U+FFFD, byte for byte.
void append_json(std::string& line, std::string_view value)
{
    while (!value.empty()) {
        const char c = value.front();
        const std::size_t bytes = utf8_length(value);
        if (bytes == 0) {
            line += "\\uFFFD";
        } else if (c == '"' || c == '\\') {
            line += {'\\', c};
        } else if (is_control(c)) {
            line += fmt::format("\\u{:04X}", c);
        } else {
            line += value.substr(0, bytes);
        }
        value.remove_prefix(std::max<std::size_t>(bytes, 1));
    }
}

void append_plain(std::string& line, std::string_view value)
{
    for (const char c : value) {
        if (is_control(c)) {
            line += fmt::format("\\x{:02X}", c);
        } else {
            line += c;
        }
    }
}

void append(std::string& line, std::string_view value, LogFormat::Escape escape)
{
    value = value.substr(0, kLogValueMax);
    switch (escape) {
    case LogFormat::Escape::standard:
        append_standard(line, value.empty() ? "-" : value);
        return;
    case LogFormat::Escape::json:
        append_json(line, value.empty() && !line.ends_with('"') ? "null" : value);
        return;
    case LogFormat::Escape::none:
        append_plain(line, value);
        return;
    }
}

}  // namespace

std::string_view to_string(Result result)
{
    switch (result) {
    case Result::no_login:
        return "no_login";
    case Result::ok:
        return "ok";
    case Result::refused:
        return "refused";
    case Result::upstream_refused:
        return "upstream_refused";
    case Result::service_error:
        return "service_error";
    case Result::upstream_error:
        return "upstream_error";
    case Result::denied:
        return "denied";
    case Result::limited:
        return "limited";
    case Result::tls_error:
        return "tls_error";
    case Result::proxy_header_error:
        return "proxy_header_error";
    case Result::client_error:
        return "client_error";
    case Result::timed_out:
        return "timed_out";
    case Result::shut_down:
        return "shut_down";
    case Result::internal_error:
        return "internal_error";
    }
    std::unreachable();
}

std::string access_line(const LogFormat& format, const SessionRecord& record,
                        std::string_view event)
{
    std::string line;
    line.reserve(512);
    for (const LogFormat::Part& part : format.parts) {
        line += part.text;
        if (part.variable) {
            append(line, value(*part.variable, record, event), format.escape);
        }
    }
    line += '\n';
    return line;
}

}  // namespace postern::log
