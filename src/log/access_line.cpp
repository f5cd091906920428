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

bool is_control(char c)
{
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
}

// Nothing that any way of escaping would touch. Looks at all of it without a branch, so that many
// bytes are looked at at once.
bool is_harmless(std::string_view text)
{
    bool harmless = true;
    for (const char c : text) {
        harmless &= c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
    }
    return harmless;
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

const std::string& host_name()
{
    static const std::string known = [] {
        char name[256] = "";
        ::gethostname(name, sizeof name - 1);
        return to_lower(name);
    }();
    return known;
}

// A line under construction: values go into it as they are found, without a text of their own.
class Line
{
public:
    Line(std::string& line, LogFormat::Escape escape) : line_(line), escape_(escape) {}

    // A value that strangers may have a say in; empty: it is not known.
    void text(std::string_view value)
    {
        if (value.empty()) {
            unknown();
            return;
        }
        value = value.substr(0, kLogValueMax);
        if (is_harmless(value)) {
            line_ += value;
            return;
        }
        switch (escape_) {
        case LogFormat::Escape::standard:
            append_standard(line_, value);
            return;
        case LogFormat::Escape::json:
            append_json(line_, value);
            return;
        case LogFormat::Escape::none:
            append_plain(line_, value);
            return;
        }
    }

    void number(std::uint64_t value)
    {
        const fmt::format_int digits(value);
        line_.append(digits.data(), digits.size());
    }

    void port(const SessionRecord::Place& place)
    {
        if (place.address.empty()) {
            unknown();
        } else {
            number(place.port);
        }
    }

    // NGINX: seconds, with milliseconds.
    void seconds(const std::optional<Duration>& time)
    {
        if (!time) {
            unknown();
            return;
        }
        const auto milliseconds =
            static_cast<std::uint64_t>(std::max(time->count(), Duration::rep{0}));
        number(milliseconds / 1000);
        const auto rest = static_cast<unsigned>(milliseconds % 1000);
        line_ += {'.', static_cast<char>('0' + rest / 100), static_cast<char>('0' + rest / 10 % 10),
                  static_cast<char>('0' + rest % 10)};
    }

private:
    void unknown()
    {
        if (escape_ == LogFormat::Escape::standard) {
            line_ += '-';
        } else if (escape_ == LogFormat::Escape::json && !line_.ends_with('"')) {
            line_ += "null";
        }
    }

    std::string& line_;
    LogFormat::Escape escape_;
};

void append(Line& line, LogVariable variable, const SessionRecord& record, std::string_view event)
{
    switch (variable) {
    case LogVariable::time_local:
        line.text(access_time());
        return;
    case LogVariable::time_iso8601:
        line.text(iso8601_time());
        return;
    case LogVariable::msec:
        line.seconds(std::chrono::duration_cast<Duration>(
            std::chrono::system_clock::now().time_since_epoch()));
        return;
    case LogVariable::hostname:
        line.text(host_name());
        return;
    case LogVariable::pid:
        line.number(static_cast<std::uint64_t>(::getpid()));
        return;
    case LogVariable::connection:
        line.number(record.connection);
        return;
    case LogVariable::event:
        line.text(event);
        return;
    case LogVariable::protocol:
        line.text(record.protocol);
        return;
    case LogVariable::remote_addr:
        line.text(record.client.address);
        return;
    case LogVariable::remote_port:
        line.port(record.client);
        return;
    case LogVariable::realip_remote_addr:
        line.text(record.peer.address);
        return;
    case LogVariable::realip_remote_port:
        line.port(record.peer);
        return;
    case LogVariable::proxy_protocol_addr:
        line.text(record.proxied_source.address);
        return;
    case LogVariable::proxy_protocol_port:
        line.port(record.proxied_source);
        return;
    case LogVariable::proxy_protocol_server_addr:
        line.text(record.proxied_destination.address);
        return;
    case LogVariable::proxy_protocol_server_port:
        line.port(record.proxied_destination);
        return;
    case LogVariable::server_addr:
        line.text(record.server.address);
        return;
    case LogVariable::server_port:
        line.port(record.server);
        return;
    case LogVariable::server_name:
        line.text(record.server_name);
        return;
    case LogVariable::ssl_protocol:
        line.text(record.tls.protocol);
        return;
    case LogVariable::ssl_cipher:
        line.text(record.tls.cipher);
        return;
    case LogVariable::ssl_server_name:
        line.text(record.tls.server_name);
        return;
    case LogVariable::ssl_session_reused:
        line.text(record.tls.protocol.empty() ? "" : record.tls.resumed ? "r" : ".");
        return;
    case LogVariable::ssl_client_verify:
        line.text(record.tls.verify);
        return;
    case LogVariable::ssl_client_s_dn:
        line.text(record.tls.subject);
        return;
    case LogVariable::ssl_client_i_dn:
        line.text(record.tls.issuer);
        return;
    case LogVariable::ssl_client_serial:
        line.text(record.tls.serial);
        return;
    case LogVariable::ssl_client_fingerprint:
        line.text(record.tls.fingerprint);
        return;
    case LogVariable::ssl_handshake_time:
        line.seconds(record.handshake_time);
        return;
    case LogVariable::auth_method:
        line.text(record.auth_method);
        return;
    case LogVariable::sasl_mechanism:
        line.text(record.sasl_mechanism);
        return;
    case LogVariable::remote_user:
        line.text(record.user);
        return;
    case LogVariable::login_attempts:
        line.number(record.attempts);
        return;
    case LogVariable::auth_time:
        line.seconds(record.auth_time);
        return;
    case LogVariable::result:
        line.text(to_string(record.result));
        return;
    case LogVariable::reason:
        line.text(record.result == Result::ok ? "" : record.reason);
        return;
    case LogVariable::upstream_user:
        line.text(record.upstream_user);
        return;
    case LogVariable::upstream_host:
        line.text(record.upstream_host);
        return;
    case LogVariable::upstream_addr:
        line.text(record.upstream_address);
        return;
    case LogVariable::upstream_connect_time:
        line.seconds(record.upstream_connect_time);
        return;
    case LogVariable::upstream_login_time:
        line.seconds(record.upstream_login_time);
        return;
    case LogVariable::login_time:
        line.seconds(record.login_time);
        return;
    case LogVariable::bytes_received:
        line.number(record.bytes_received);
        return;
    case LogVariable::bytes_sent:
        line.number(record.bytes_sent);
        return;
    case LogVariable::session_time:
        line.seconds(std::chrono::duration_cast<Duration>(record.now - record.accepted));
        return;
    case LogVariable::closed_by:
        line.text(record.closed_by);
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
    std::string text;
    text.reserve(1024);
    Line line(text, format.escape);
    for (const LogFormat::Part& part : format.parts) {
        text += part.text;
        if (part.variable) {
            append(line, *part.variable, record, event);
        }
    }
    text += '\n';
    return text;
}

}  // namespace postern::log
