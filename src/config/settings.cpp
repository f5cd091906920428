#include "config/settings.h"

#include <tuple>

#include "base/text.h"

namespace postern::config {

std::string Location::text() const
{
    return line == 0 ? file : file + ":" + std::to_string(line);
}

bool Ssl::operator==(const Ssl& other) const
{
    const auto members = [](const Ssl& ssl) {
        return std::tie(ssl.pairs, ssl.password_file, ssl.protocols, ssl.ciphers,
                        ssl.prefer_server_ciphers, ssl.ecdh_curve, ssl.dhparam, ssl.session_cache,
                        ssl.session_timeout, ssl.session_tickets, ssl.session_ticket_keys,
                        ssl.verify_client, ssl.verify_depth, ssl.client_certificate,
                        ssl.trusted_certificate, ssl.crl, ssl.conf_commands, ssl.lean);
    };
    return members(*this) == members(other);
}

std::optional<ProxySsl> parse_proxy_ssl(std::string_view word)
{
    if (iequals(word, "off")) {
        return ProxySsl::off;
    }
    if (iequals(word, "on")) {
        return ProxySsl::on;
    }
    return iequals(word, "starttls") ? std::optional(ProxySsl::starttls) : std::nullopt;
}

std::string_view to_string(Protocol protocol)
{
    switch (protocol) {
    case Protocol::imap:
        return "imap";
    case Protocol::pop3:
        return "pop3";
    case Protocol::smtp:
        return "smtp";
    }
    std::unreachable();
}

}  // namespace postern::config
