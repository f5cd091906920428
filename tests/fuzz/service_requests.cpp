// What we ask the service of "auth_http", with names from the client and from its certificate.
#include <algorithm>
#include <string>
#include <utility>

#include "auth/auth_http_message.h"
#include "base/line.h"
#include "session_checks.h"
#include "targets.h"

namespace postern::fuzz {

namespace {

// Parts of the input, with 0xff between them; the last ones are empty.
std::string take_part(std::string_view& input)
{
    const std::string_view part = input.substr(0, input.find('\xff'));
    input.remove_prefix(std::min(input.size(), part.size() + 1));
    return std::string(part);
}

auth::PeerTls take_tls(std::string_view& input)
{
    auth::PeerTls tls{.protocol = "TLSv1.3", .cipher = "TLS_AES_128_GCM_SHA256"};
    tls.verify = take_part(input);
    tls::PeerCertificate certificate;
    certificate.subject = take_part(input);
    certificate.issuer = take_part(input);
    certificate.serial = "01";
    certificate.fingerprint = "ab";
    certificate.pem = take_part(input);
    tls.certificate = std::move(certificate);
    return tls;
}

}  // namespace

// The first byte chooses method, protocol, and what else is known; then come the names.
void service_requests(std::string_view input)
{
    if (input.empty()) {
        return;
    }
    const auto chosen = static_cast<unsigned char>(input[0]);
    input.remove_prefix(1);
    auth::Claim claim;
    claim.method = static_cast<auth::Method>(chosen % 5);
    claim.login = take_part(input);
    const std::string password = take_part(input);
    claim.password = Secret(password);
    claim.salt = "<1.2@test>";
    claim.smtp_helo = take_part(input);
    claim.smtp_from = take_part(input);
    claim.smtp_to = take_part(input);
    auth::Peer peer;
    peer.protocol = (chosen & 0x10) != 0 ? config::Protocol::smtp : config::Protocol::imap;
    peer.client_ip = "192.0.2.1";
    peer.client_host = take_part(input);
    if ((chosen & 0x20) != 0) {
        const SocketAddress address = SocketAddress::parse_ip("2001:db8::1", 1).value();
        peer.proxied = {address, address, address.ip_text(), address.ip_text()};
    }
    if ((chosen & 0x40) != 0) {
        peer.tls = take_tls(input);
    }
    auth::HttpService service;
    service.where.host = "service";
    service.where.uri = "/auth";
    service.headers = {{"X-Key", "a value"}};
    service.pass_client_cert = (chosen & 0x80) != 0;

    const auto request = auth::make_request(service, claim, peer);
    const bool is_none = claim.method == auth::Method::none;
    if (!request) {
        return;
    }
    check_request(request->reveal());
    require(request->reveal().ends_with("X-Key: a value\r\n\r\n"), "a request has an end");
    require(!is_none || (fits_on_a_line(claim.smtp_helo) && fits_on_a_line(claim.smtp_from) &&
                         fits_on_a_line(claim.smtp_to)),
            "what has a line's end in it is not asked");
}

}  // namespace postern::fuzz
