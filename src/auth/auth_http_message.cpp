#include "auth/auth_http_message.h"

#include <algorithm>

#include "auth/mailbox_host.h"
#include "base/line.h"
#include "base/text.h"

namespace postern::auth {

namespace {

constexpr std::chrono::seconds kWaitWithoutTime{1};  // NGINX asks again at once, for ever
constexpr std::chrono::seconds kLongestWait{3600};

// A request in the making: a buffer that never moves, as it would leave a password behind.
class Request
{
public:
    explicit Request(std::size_t most_bytes) { text_.reserve(most_bytes); }
    ~Request() { wipe(text_.data(), text_.capacity()); }
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;

    // What we say ourselves, and what others have said, which must not end a line.
    Request& ours(std::string_view text)
    {
        text_ += text;
        return *this;
    }
    Request& theirs(std::string_view text)
    {
        is_valid_ = is_valid_ && fits_on_a_line(text);
        return ours(text);
    }

    void header(std::string_view name, std::string_view value)
    {
        ours(name).ours(": ").theirs(value).ours(kLineEnd);
    }

    // NGINX's escapes, those of URLs: "%XX" for bytes up to the space and for "%".
    void escaped_header(std::string_view name, std::string_view value)
    {
        constexpr char kHex[] = "0123456789ABCDEF";
        ours(name).ours(": ");
        for (const char c : value) {
            const auto byte = static_cast<unsigned char>(c);
            if (byte <= ' ' || c == '%') {
                text_ += '%';
                text_ += kHex[byte >> 4];
                text_ += kHex[byte & 15];
            } else {
                text_ += c;
            }
        }
        ours(kLineEnd);
    }

    std::optional<Secret> finish()
    {
        ours(kLineEnd);
        return is_valid_ ? std::optional<Secret>(Secret::taken_from(text_)) : std::nullopt;
    }

private:
    static constexpr std::string_view kLineEnd = "\r\n";

    std::string text_;
    bool is_valid_ = true;
};

constexpr std::size_t kFixedBytes = 1024;  // names, line ends, and what has a small limit

std::size_t most_bytes(const HttpService& service, const Claim& claim, const Peer& peer)
{
    std::size_t bytes = kFixedBytes + service.where.uri.size() + service.where.host.size() +
                        3 * (claim.login.size() + claim.password.reveal().size()) +
                        claim.salt.size() + peer.client_ip.size() + peer.client_host.size() +
                        claim.smtp_helo.size() + claim.smtp_from.size() + claim.smtp_to.size();
    for (const auto& [name, value] : service.headers) {
        bytes += name.size() + value.size() + 4;
    }
    if (peer.tls && peer.tls->certificate) {
        const tls::PeerCertificate& certificate = *peer.tls->certificate;
        bytes += certificate.subject.size() + certificate.issuer.size() +
                 certificate.serial.size() + 3 * certificate.pem.size();
    }
    return bytes;
}

// NGINX leaves out what is empty.
void add_if_any(Request& request, std::string_view name, std::string_view value)
{
    if (!value.empty()) {
        request.header(name, value);
    }
}

void add_tls(Request& request, const PeerTls& tls, bool pass_certificate)
{
    request.header("Auth-SSL", "on");
    add_if_any(request, "Auth-SSL-Protocol", tls.protocol);
    add_if_any(request, "Auth-SSL-Cipher", tls.cipher);
    add_if_any(request, "Auth-SSL-Verify", tls.verify);
    if (!tls.certificate) {
        return;
    }
    add_if_any(request, "Auth-SSL-Subject", tls.certificate->subject);
    add_if_any(request, "Auth-SSL-Issuer", tls.certificate->issuer);
    add_if_any(request, "Auth-SSL-Serial", tls.certificate->serial);
    add_if_any(request, "Auth-SSL-Fingerprint", tls.certificate->fingerprint);
    if (pass_certificate) {
        request.escaped_header("Auth-SSL-Cert", tls.certificate->pem);
    }
}

// The values of an answer. Of headers that come twice the last holds, but a refusal stands,
// whatever comes after it.
struct Fields {
    std::optional<std::string_view> refusal;  // Auth-Status, unless it is OK or WAIT
    bool wait = false;
    std::string_view server;
    std::string_view port;
    std::optional<std::string_view> user;
    std::optional<std::string_view> password;
    std::chrono::seconds pause{0};
    std::string_view error_code;
    std::string_view ssl;
    std::string_view ssl_name;
};

void read_status(Fields& fields, std::string_view value)
{
    if (value == "OK" || value == "WAIT") {
        fields.wait = value == "WAIT";
    } else {
        fields.refusal = value;
    }
}

Fields read_fields(std::span<const http::Header> headers)
{
    Fields fields;
    for (const auto& [name, value] : headers) {
        if (iequals(name, "Auth-Status")) {
            read_status(fields, value);
        } else if (iequals(name, "Auth-Server")) {
            fields.server = value;
        } else if (iequals(name, "Auth-Port")) {
            fields.port = value;
        } else if (iequals(name, "Auth-User")) {
            fields.user = value;
        } else if (iequals(name, "Auth-Pass")) {
            fields.password = value;
        } else if (iequals(name, "Auth-Wait")) {
            if (const auto seconds = parse_number<std::uint32_t>(value)) {
                fields.pause = std::min(std::chrono::seconds(*seconds), kLongestWait);
            }
        } else if (iequals(name, "Auth-Error-Code")) {
            fields.error_code = value;
        } else if (iequals(name, "Auth-Server-SSL")) {
            fields.ssl = value;
        } else if (iequals(name, "Auth-Server-Name")) {
            fields.ssl_name = value;
        }
    }
    return fields;
}

// What the service says of TLS to the mailbox server, for this user. What is wrong with it, or "".
std::string read_ssl(const Fields& fields, Mailbox& mailbox)
{
    if (!fields.ssl.empty()) {
        mailbox.ssl = config::parse_proxy_ssl(fields.ssl);
        if (!mailbox.ssl) {
            return "sent invalid server ssl:\"" + escape_for_log(fields.ssl) + '"';
        }
    }
    if (!fields.ssl_name.empty() &&
        (fields.ssl_name.starts_with("unix:") || !is_mailbox_host(fields.ssl_name))) {
        return "sent invalid server name:\"" + escape_for_log(fields.ssl_name) + '"';
    }
    mailbox.ssl_name = fields.ssl_name;
    return "";
}

HttpAnswer read_mailbox(const Fields& fields, const Claim& claim, const Peer& peer)
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
    } else if (claim.method == Method::plain) {
        mailbox.password = claim.password.copy();
        mailbox.has_password = true;
    } else if (peer.protocol != config::Protocol::smtp) {
        return BadAnswer{"did not send password"};
    }
    if (!is_mailbox_host(fields.server)) {
        return BadAnswer{"sent invalid server address:\"" + escape_for_log(fields.server) + '"'};
    }
    if (!is_unix) {
        mailbox.port = parse_number<std::uint16_t>(fields.port).value_or(0);
        if (mailbox.port == 0) {
            return BadAnswer{"sent invalid server port:\"" + escape_for_log(fields.port) + '"'};
        }
    }
    mailbox.host = fields.server;
    if (std::string problem = read_ssl(fields, mailbox); !problem.empty()) {
        return BadAnswer{std::move(problem)};
    }
    return mailbox;
}

}  // namespace

std::optional<Secret> make_request(const HttpService& service, const Claim& claim, const Peer& peer)
{
    const bool has_salt = claim.method == Method::apop || claim.method == Method::cram_md5;
    Request request(most_bytes(service, claim, peer));
    request.ours("GET ").theirs(service.where.uri);
    request.ours(service.keepalive > 0 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n");
    request.header("Host", service.where.host);
    request.header("Auth-Method", to_string(claim.method));
    request.escaped_header("Auth-User", claim.login);
    request.escaped_header("Auth-Pass", claim.password.reveal());
    if (has_salt) {
        request.header("Auth-Salt", claim.salt);
    }
    request.header("Auth-Protocol", config::to_string(peer.protocol));
    request.header("Auth-Login-Attempt", std::to_string(peer.attempt));
    request.header("Client-IP", peer.client_ip);
    if (peer.protocol == config::Protocol::smtp) {
        request.header("Client-Host", peer.client_host);
    }
    if (peer.proxied) {
        const auto& [source, destination, source_ip, destination_ip] = *peer.proxied;
        request.header("Proxy-Protocol-Addr", source_ip);
        request.header("Proxy-Protocol-Port", std::to_string(source.port()));
        request.header("Proxy-Protocol-Server-Addr", destination_ip);
        request.header("Proxy-Protocol-Server-Port", std::to_string(destination.port()));
    }
    if (claim.method == Method::none) {
        request.header("Auth-SMTP-Helo", claim.smtp_helo);
        request.header("Auth-SMTP-From", claim.smtp_from);
        request.header("Auth-SMTP-To", claim.smtp_to);
    }
    if (peer.tls) {
        add_tls(request, *peer.tls, service.pass_client_cert);
    }
    for (const auto& [name, value] : service.headers) {
        request.theirs(name).header("", value);
    }
    return request.finish();
}

HttpAnswer read_answer(std::span<const http::Header> headers, const Claim& claim, const Peer& peer)
{
    const Fields fields = read_fields(headers);
    if (fields.refusal) {
        return Refusal{std::string(*fields.refusal), std::string(fields.error_code), fields.pause};
    }
    if (fields.wait) {
        return Wait{fields.pause.count() > 0 ? fields.pause : kWaitWithoutTime};
    }
    return read_mailbox(fields, claim, peer);
}

}  // namespace postern::auth
