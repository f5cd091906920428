// How Postern deals with mailbox servers.
#include "config/directives/groups.h"
#include "config/setters.h"

namespace postern::config {

namespace {

// NGINX has this flag, and it does nothing there.
Outcome proxy(Entry& entry)
{
    const auto value = parse_flag(entry, entry.argument(0));
    return value ? Outcome{} : std::unexpected(value.error());
}

constexpr Choice<ProxyProtocol> kProxyProtocol[] = {
    {"off", ProxyProtocol::off}, {"on", ProxyProtocol::v1}, {"v2", ProxyProtocol::v2}};

constexpr Choice<ProxySsl> kProxySsl[] = {
    {"off", ProxySsl::off}, {"on", ProxySsl::on}, {"starttls", ProxySsl::starttls}};

Outcome proxy_ssl(Entry& entry)
{
    entry.field(&MailServer::proxy_ssl_where) = entry.where();
    return choice<kProxySsl, &MailServer::proxy_ssl>(entry);
}

constexpr Directive kDirectives[] = {
    {.name = "proxy_buffer",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = size<&MailServer::proxy_buffer>,
     .initial = "4k",
     .syntax = "SIZE",
     .doc = "How long a reply of the mailbox server may be while Postern logs in to it."},
    {.name = "proxy_timeout",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = duration<&MailServer::proxy_timeout>,
     .initial = "24h",
     .syntax = "TIME",
     .doc = "How long a session may stay silent after the login."},
    {.name = "proxy_pass_error_message",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = flag<&MailServer::proxy_pass_error_message>,
     .initial = "off",
     .syntax = "on | off",
     .doc = "Whether the client is told in the mailbox server's words why its login failed there."},
    {.name = "proxy_protocol",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = choice<kProxyProtocol, &MailServer::proxy_protocol>,
     .initial = "off",
     .syntax = "off | on | v2",
     .doc = "Whether the mailbox server is told with a header of the PROXY protocol who the client "
            "is: `on` is its version 1, `v2` its version 2, which also tells what the client's TLS "
            "is like. It comes before TLS. The mailbox server has to expect it: Dovecot with "
            "`haproxy = yes`, Postfix with `smtpd_upstream_proxy_protocol`."},
    {.name = "proxy_ssl",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = proxy_ssl,
     .initial = "off",
     .syntax = "off | on | starttls",
     .doc = "TLS with mailbox servers: from the first byte (`on`), or after STARTTLS or STLS "
            "(`starttls`; a server that hasn't got it is not logged in to). The service or "
            "`auth_file` may say otherwise for a user. Certificates are looked at with "
            "`proxy_ssl_verify on` only.",
     .since = Since::postern},
    {.name = "proxy",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = proxy,
     .initial = "off",
     .syntax = "on | off",
     .doc = "Accepted, and without meaning, as in NGINX."},
};

}  // namespace

std::span<const Directive> proxy_directives()
{
    return kDirectives;
}

}  // namespace postern::config
