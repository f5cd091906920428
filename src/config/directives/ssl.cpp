// TLS with clients.
#include "config/directives/groups.h"
#include "config/directives/session_cache.h"
#include "config/directives/tls_setters.h"

namespace postern::config {

namespace {

constexpr auto kSsl = &MailServer::ssl;

constexpr Choice<StartTls> kStartTls[] = {
    {"off", StartTls::off}, {"on", StartTls::on}, {"only", StartTls::only}};

Outcome starttls(Entry& entry)
{
    entry.field(&MailServer::starttls_where) = entry.where();
    return choice<kStartTls, &MailServer::starttls>(entry);
}

// Adds to a list, which replaces what the block inherited.
Outcome add(Entry& entry, std::vector<Written>& list)
{
    if (entry.argument(0).empty()) {
        return entry.invalid("value", "a file's name");
    }
    if (entry.first()) {
        list.clear();
    }
    list.push_back(certificate_source(entry));
    return {};
}

Outcome certificate(Entry& entry)
{
    return add(entry, entry.server().certificates);
}

Outcome certificate_key(Entry& entry)
{
    return add(entry, entry.server().certificate_keys);
}

Outcome session_ticket_key(Entry& entry)
{
    auto& keys = entry.field(kSsl, &Ssl::session_ticket_keys);
    if (entry.argument(0).empty()) {
        return entry.invalid("value", "a file's name");
    }
    if (entry.first()) {
        keys.clear();
    }
    keys.push_back({entry.below_directory(entry.argument(0)), entry.where()});
    return {};
}

// OpenSSL can do it from 3.2 on; the oldest that we are built with can't.
Outcome certificate_compression(Entry& entry)
{
    const auto value = parse_flag(entry, entry.argument(0));
    if (!value) {
        return std::unexpected(value.error());
    }
    auto& where = entry.server().certificate_compression;
    where = *value ? std::optional(entry.where()) : std::nullopt;
    return {};
}

constexpr Choice<VerifyClient> kVerifyClient[] = {
    {"off", VerifyClient::off},
    {"on", VerifyClient::on},
    {"optional", VerifyClient::optional},
    {"optional_no_ca", VerifyClient::optional_no_ca},
};

Outcome verify_client(Entry& entry)
{
    entry.field(kSsl, &Ssl::verify_client_where) = entry.where();
    return choice<kVerifyClient, kSsl, &Ssl::verify_client>(entry);
}

// On both sides of a session.
Outcome lean(Entry& entry)
{
    const Outcome done = flag<kSsl, &Ssl::lean>(entry);
    entry.field(&MailServer::proxy_ssl_settings, &ClientSsl::lean) = entry.field(kSsl, &Ssl::lean);
    return done;
}

constexpr Directive kDirectives[] = {
    {.name = "starttls",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = starttls,
     .initial = "off",
     .syntax = "off | on | only",
     .doc = "Whether clients may (`on`), or must (`only`), switch to TLS before they log in: "
            "STARTTLS of IMAP and SMTP, STLS of POP3."},
    {.name = "ssl_certificate",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = certificate,
     .syntax = "FILE | data:PEM",
     .default_text = "a self-signed one for `server_name`, made at the start, with a warning",
     .doc = "A certificate with its chain, in PEM, the server's own first. Written several times "
            "for keys of several kinds (RSA and ECDSA). Relative to the configuration's directory.",
     .again = Again::adds},
    {.name = "ssl_certificate_key",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = certificate_key,
     .syntax = "FILE | data:PEM | engine:NAME:ID | store:URI",
     .default_text = "none: every `ssl_certificate` needs one",
     .doc = "The key of the certificate that is written at the same place in the list of those: "
            "the second key belongs to the second certificate.",
     .again = Again::adds},
    {.name = "ssl_password_file",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = file<kSsl, &Ssl::password_file>,
     .syntax = "FILE",
     .default_text = "none",
     .doc = "Pass phrases of keys, one a line, which are tried one after the other."},
    {.name = "ssl_certificate_compression",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = certificate_compression,
     .initial = "off",
     .syntax = "on | off",
     .doc = "Whether certificates are sent compressed (TLS 1.3). OpenSSL 3.0 can't: `on` is "
            "ignored with a warning."},
    {.name = "ssl_dhparam",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = file_or_none<kSsl, &Ssl::dhparam>,
     .syntax = "FILE",
     .default_text = "none: no DHE ciphers",
     .doc = "Diffie-Hellman parameters, for DHE ciphers up to TLS 1.2."},
    {.name = "ssl_ecdh_curve",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = for_openssl<kSsl, &Ssl::ecdh_curve>,
     .initial = "auto",
     .syntax = "CURVE[:CURVE…] | auto",
     .doc = "Elliptic curves for key exchange. `auto`: those of OpenSSL."},
    {.name = "ssl_protocols",
     .where = kMail | kServer,
     .args = {1, Arity::kAny},
     .set = protocols<kSsl, &Ssl::protocols>,
     .initial = "TLSv1.2 TLSv1.3",
     .syntax = "TLSv1 | TLSv1.1 | TLSv1.2 | TLSv1.3 …",
     .doc = "Which versions of TLS are offered.",
     .again = Again::adds},
    {.name = "ssl_ciphers",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = for_openssl<kSsl, &Ssl::ciphers>,
     .initial = "HIGH:!aNULL:!MD5",
     .syntax = "CIPHERS",
     .doc = "Ciphers up to TLS 1.2, as OpenSSL writes them. Those of TLS 1.3: `ssl_conf_command "
            "Ciphersuites …`."},
    {.name = "ssl_prefer_server_ciphers",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = flag<kSsl, &Ssl::prefer_server_ciphers>,
     .initial = "on",
     .syntax = "on | off",
     .doc = "Whether our order of ciphers counts more than the client's (NGINX: `off`). A client "
            "that has ChaCha20 first gets it even so: it has no fast AES."},
    {.name = "ssl_session_cache",
     .where = kMail | kServer,
     .args = {1, 2},
     .set = session_cache,
     .initial = "none",
     .syntax = "off | none | [builtin[:SESSIONS]] [shared:NAME:SIZE]",
     .doc = "Where TLS sessions are kept for clients that come back. `off` tells them that there "
            "is no coming back, `none` doesn't tell; `builtin` belongs to one worker; `shared` to "
            "all of them, and may be used by several servers. A mebibyte holds about 4000.",
     .again = Again::last_wins},
    {.name = "ssl_session_timeout",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = coarse_duration<kSsl, &Ssl::session_timeout>,
     .initial = "5m",
     .syntax = "TIME",
     .doc = "How long a TLS session may be resumed."},
    {.name = "ssl_session_tickets",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = flag<kSsl, &Ssl::session_tickets>,
     .initial = "on",
     .syntax = "on | off",
     .doc = "Whether clients are given their TLS session, sealed, to come back with (RFC 5077)."},
    {.name = "ssl_session_ticket_key",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = session_ticket_key,
     .syntax = "FILE",
     .default_text = "made at random, and changed from time to time",
     .doc = "A key that tickets are sealed with, of 80 or 48 bytes: for several machines that "
            "share clients. The first one seals, all of them open.",
     .again = Again::adds},
    {.name = "ssl_verify_client",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = verify_client,
     .initial = "off",
     .syntax = "off | on | optional | optional_no_ca",
     .doc = "Whether clients are asked for a certificate. `on`: they need a good one. `optional`: "
            "if they send one, it must be good. `optional_no_ca`: nobody we trust need have signed "
            "it; the service decides."},
    {.name = "ssl_verify_depth",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = depth<kSsl, &Ssl::verify_depth>,
     .initial = "1",
     .syntax = "NUMBER",
     .doc = "How many authorities may stand between a client's certificate and one we trust."},
    {.name = "ssl_client_certificate",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = file_or_none<kSsl, &Ssl::client_certificate>,
     .syntax = "FILE",
     .default_text = "none",
     .doc = "Certificates of the authorities that we trust to sign clients' certificates. Clients "
            "are told their names."},
    {.name = "ssl_trusted_certificate",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = file_or_none<kSsl, &Ssl::trusted_certificate>,
     .syntax = "FILE",
     .default_text = "none",
     .doc = "As `ssl_client_certificate`, but clients are not told."},
    {.name = "ssl_crl",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = file_or_none<kSsl, &Ssl::crl>,
     .syntax = "FILE",
     .default_text = "none",
     .doc = "Lists of revoked certificates, in PEM: one for each authority of a client's chain."},
    {.name = "ssl_conf_command",
     .where = kMail | kServer,
     .args = {2, 2},
     .set = command<kSsl, &Ssl::conf_commands>,
     .syntax = "NAME VALUE",
     .default_text = "none",
     .doc = "A command of OpenSSL's configuration files (SSL_CONF_cmd), after all other settings.",
     .again = Again::adds},
    {.name = "ssl_lean",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = lean,
     .initial = "off",
     .syntax = "on | off",
     .doc = "Whether a session under TLS 1.3, once its client is logged in, keeps its keys alone "
            "and lets go of OpenSSL's objects, which are most of what it costs in memory; to "
            "clients and to mailbox servers. Older versions stay as they are.",
     .since = Since::postern},
};

}  // namespace

std::span<const Directive> ssl_directives()
{
    return kDirectives;
}

}  // namespace postern::config
