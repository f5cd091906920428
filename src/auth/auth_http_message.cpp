#include "auth/auth_http_message.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace postern::auth {

namespace {

constexpr std::chrono::seconds kWaitWithoutTime{1};  // NGINX asks again at once, for ever
constexpr std::chrono::seconds kLongestWait{3600};

void add(std::string& request, std::string_view name, std::string_view value)
{
    request += name;
    request += ": ";
    request += value;
    request += "\r\n";
}

struct Fields {
    std::optional<std::string> error;  // Auth-Status, unless it is OK or WAIT
    bool wait = false;
    std::string server;
    std::string port;
    std::optional<std::string> user;
    std::optional<std::string> password;
    std::chrono::seconds pause{0};
    std::string error_code;
};

Fields read_fields(const http::ResponseHead& head)
{
    Fields fields;
    for (const http::Header& header : head.headers) {
        if (header.name == "auth-status") {
            // A refusal stands, whatever comes after it.
            if (header.value == "WAIT") {
                fields.wait = true;
            } else if (header.value == "OK") {
                fields.wait = false;
            } else {
                fields.error = header.value;
            }
        } else if (header.name == "auth-server") {
            fields.server = header.value;
        } else if (header.name == "auth-port") {
            fields.port = header.value;
        } else if (header.name == "auth-user") {
            fields.user = header.value;
        } else if (header.name == "auth-pass") {
            fields.password = header.value;
        } else if (header.name == "auth-wait") {
            const auto seconds = parse_number<unsigned>(header.value);
            fields.pause = std::min(std::chrono::seconds(seconds.value_or(0)), kLongestWait);
        } else if (header.name == "auth-error-code") {
            fields.error_code = header.value;
        }
    }
    return fields;
}

// An address as NGINX wants it; also a name, which is looked up, or "unix:PATH".
bool is_valid_server(std::string_view server)
{
    if (server.starts_with("unix:")) {
        return server.size() > 5 && server.size() < 5 + 108;
    }
    if (SocketAddress::parse_ip(server, 0)) {
        return true;
    }
    const auto is_name_character = [](char c) {
        return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_';
    };
    const bool numeric =
        std::ranges::all_of(server, [](char c) { return is_digit(c) || c == '.'; });
    return !numeric && server.size() <= 255 && server[0] != '-' &&
           std::ranges::all_of(server, is_name_character);
}

HttpAnswer read_mailbox(Fields fields, const Claim& claim, const Peer& peer)
{
    const bool is_unix = fields.server.starts_with("unix:");
    if (fields.server.empty() || (fields.port.empty() && !is_unix)) {
        return BadAnswer{"did not send server or port"};
    }
    Mailbox mailbox;
    mailbox.login = fields.user.value_or(claim.login);
    if (fields.password) {
        mailbox.password = Secret(*fields.password);
        mailbox.has_password = true;
        wipe(fields.password->data(), fields.password->size());
    } else if (claim.method == Method::plain) {
        mailbox.password = claim.password.copy();
        mailbox.has_password = true;
    } else if (peer.protocol != config::Protocol::smtp) {
        return BadAnswer{"did not send password"};
    }
    if (!is_valid_server(fields.server)) {
        return BadAnswer{"sent invalid server address:\"" + escape_for_log(fields.server) + '"'};
    }
    if (!is_unix) {
        const auto port = parse_number<std::uint16_t>(fields.port);
        if (!port || *port == 0) {
            return BadAnswer{"sent invalid server port:\"" + escape_for_log(fields.port) + '"'};
        }
        mailbox.port = *port;
    }
    mailbox.host = std::move(fields.server);
    return mailbox;
}

}  // namespace

std::string escape_header_value(std::string_view value)
{
    constexpr char kHex[] = "0123456789ABCDEF";
    std::string result;
    result.reserve(value.size());
    for (const char c : value) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte <= ' ' || c == '%') {
            result += {'%', kHex[byte >> 4], kHex[byte & 15]};
        } else {
            result += c;
        }
    }
    return result;
}

Secret make_request(const HttpService& service, const Claim& claim, const Peer& peer)
{
    const bool smtp = peer.protocol == config::Protocol::smtp;
    std::string request;
    request.reserve(1024);
    request +=
        "GET " + service.where.uri + (service.keepalive > 0 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n");
    add(request, "Host", service.where.host);
    add(request, "Auth-Method", to_string(claim.method));
    add(request, "Auth-User", escape_header_value(claim.login));
    std::string password = escape_header_value(claim.password.reveal());
    add(request, "Auth-Pass", password);
    wipe(password.data(), password.size());
    if (claim.method == Method::apop || claim.method == Method::cram_md5) {
        add(request, "Auth-Salt", claim.salt);
    }
    add(request, "Auth-Protocol", config::to_string(peer.protocol));
    add(request, "Auth-Login-Attempt", std::to_string(peer.attempt));
    add(request, "Client-IP", peer.client_ip);
    if (smtp) {
        add(request, "Client-Host", peer.client_host);
    }
    if (claim.method == Method::none) {
        add(request, "Auth-SMTP-Helo", claim.smtp_helo);
        add(request, "Auth-SMTP-From", claim.smtp_from);
        add(request, "Auth-SMTP-To", claim.smtp_to);
    }
    for (const auto& [name, value] : service.headers) {
        add(request, name, value);
    }
    request += "\r\n";
    Secret result{request};
    wipe(request.data(), request.size());
    return result;
}

HttpAnswer read_answer(const http::ResponseHead& head, const Claim& claim, const Peer& peer)
{
    Fields fields = read_fields(head);
    if (fields.error) {
        return Refusal{std::move(*fields.error), std::move(fields.error_code), fields.pause};
    }
    if (fields.wait) {
        return Wait{fields.pause.count() > 0 ? fields.pause : kWaitWithoutTime};
    }
    return read_mailbox(std::move(fields), claim, peer);
}

}  // namespace postern::auth
