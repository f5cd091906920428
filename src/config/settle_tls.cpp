#include "config/settle_tls.h"

#include <fmt/format.h>

#include <algorithm>

namespace postern::config {

namespace {

std::unexpected<Error> fail(const Location& where, std::string_view message)
{
    return std::unexpected(Error::at(where, message));
}

Checked pair_up(ServerDraft& server, const TlsCause& cause, Draft& draft)
{
    const auto& certificates = server.certificates;
    const auto& keys = server.certificate_keys;
    if (certificates.empty() && !keys.empty()) {
        return fail(cause.where, fmt::format("no \"ssl_certificate\" is defined for the \"{}\" "
                                             "directive",
                                             cause.directive));
    }
    for (std::size_t i = 0; i < certificates.size(); ++i) {
        if (i >= keys.size()) {
            return fail(cause.where,
                        fmt::format("no \"ssl_certificate_key\" is defined for certificate \"{}\" "
                                    "and the \"{}\" directive",
                                    shown_name(certificates[i].text), cause.directive));
        }
        server.server.ssl.pairs.push_back({certificates[i], keys[i]});
    }
    for (std::size_t i = certificates.size(); i < keys.size(); ++i) {
        warn_once(
            draft.warnings,
            Error::at(
                keys[i].where,
                fmt::format("no \"ssl_certificate\" is defined for certificate key \"{}\", ignored",
                            shown_name(keys[i].text)))
                .text);
    }
    return {};
}

Checked check_client_certificates(const Ssl& ssl)
{
    const bool needs_trust =
        ssl.verify_client == VerifyClient::on || ssl.verify_client == VerifyClient::optional;
    if (needs_trust && ssl.client_certificate.text.empty() &&
        ssl.trusted_certificate.text.empty()) {
        return fail(ssl.verify_client_where,
                    "no ssl_client_certificate or ssl_trusted_certificate for ssl_verify_client");
    }
    return {};
}

Checked settle_server_side(ServerDraft& server, Draft& draft)
{
    const auto cause = cause_of_tls(server.server);
    if (!cause) {
        return {};
    }
    if (auto paired = pair_up(server, *cause, draft); !paired) {
        return paired;
    }
    if (auto checked = check_client_certificates(server.server.ssl); !checked) {
        return checked;
    }
    if (server.certificate_compression) {
        warn_once(
            draft.warnings,
            Error::at(*server.certificate_compression,
                      "\"ssl_certificate_compression\" is not supported on this platform, ignored")
                .text);
    }
    if (server.no_sessions) {
        server.server.ssl.session_cache.zone.clear();
        server.server.ssl.session_cache.zone_bytes = 0;
    }
    return {};
}

// `prefix`: "proxy_ssl" or "auth_http_ssl".
Checked check_own_certificate(const SslPair& pair, std::string_view prefix)
{
    const auto& [certificate, key] = pair;
    if (key.text.empty() && !certificate.text.empty()) {
        return fail(certificate.where,
                    fmt::format("no \"{}_certificate_key\" is defined for certificate \"{}\"",
                                prefix, shown_name(certificate.text)));
    }
    if (certificate.text.empty() && !key.text.empty()) {
        return fail(key.where,
                    fmt::format("no \"{}_certificate\" is defined for certificate key \"{}\"",
                                prefix, shown_name(key.text)));
    }
    return {};
}

}  // namespace

std::optional<TlsCause> cause_of_tls(const MailServer& server)
{
    const auto last = std::find_if(server.listens.rbegin(), server.listens.rend(),
                                   [](const Listen& listen) { return listen.ssl; });
    if (last != server.listens.rend()) {
        return TlsCause{"listen ... ssl", last->where};
    }
    if (server.starttls != StartTls::off) {
        return TlsCause{"starttls", server.starttls_where};
    }
    return std::nullopt;
}

Checked settle_tls(ServerDraft& server, Draft& draft)
{
    if (auto settled = settle_server_side(server, draft); !settled) {
        return settled;
    }
    const MailServer& settings = server.server;
    if (auto checked = check_own_certificate(settings.proxy_ssl_settings.pair, "proxy_ssl");
        !checked) {
        return checked;
    }
    if (auto checked = check_own_certificate(settings.auth_http_ssl.pair, "auth_http_ssl");
        !checked) {
        return checked;
    }
    if (settings.proxy_ssl != ProxySsl::off && !settings.proxy_ssl_settings.verify_is_written) {
        warn_once(draft.warnings, Error::at(settings.proxy_ssl_where,
                                            "certificates of mailbox servers are not verified, so "
                                            "that anybody on the way could "
                                            "pose as one (write \"proxy_ssl_verify on\", or "
                                            "\"proxy_ssl_verify off\" to say that "
                                            "this is meant)")
                                      .text);
    }
    return {};
}

}  // namespace postern::config
