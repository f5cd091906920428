// What SMTP clients are offered, and what the mailbox server is told of them.
#include "config/directives/groups.h"
#include "config/setters.h"

namespace postern::config {

namespace {

constexpr std::string_view kMechanisms = "plain login cram-md5 external none";

constexpr Directive kDirectives[] = {
    {.name = "smtp_auth",
     .where = kMail | kServer,
     .args = {1, Arity::kAny},
     .set = mechanisms<&MailServer::smtp_auth, kMechanisms>,
     .initial = "plain login",
     .syntax = "plain | login | cram-md5 | external | none …",
     .doc = "Which ways to log in are offered. `AUTH PLAIN` and `AUTH LOGIN` are always accepted. "
            "With `none` mail is taken without a login: its sender and first recipient are looked "
            "up instead.",
     .again = Again::adds,
     .protocol = Protocol::smtp},
    {.name = "smtp_capabilities",
     .where = kMail | kServer,
     .args = {1, Arity::kAny},
     .set = capabilities<&MailServer::smtp_capabilities>,
     .syntax = "WORDS…",
     .default_text = "none",
     .doc =
         "What `EHLO` is answered with, a line each: what the mailbox servers can. Quote one that "
         "has several words: `\"SIZE 10485760\"`.",
     .again = Again::adds,
     .protocol = Protocol::smtp},
    {.name = "smtp_client_buffer",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = size<&MailServer::smtp_client_buffer>,
     .initial = "4k",
     .syntax = "SIZE",
     .doc = "How long a command may be.",
     .protocol = Protocol::smtp},
    {.name = "smtp_greeting_delay",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = duration<&MailServer::smtp_greeting_delay>,
     .initial = "0",
     .syntax = "TIME",
     .doc = "How long the greeting waits. A client that talks before it is disconnected: it is "
            "probably no mail server.",
     .protocol = Protocol::smtp},
    {.name = "proxy_smtp_auth",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = flag<&MailServer::proxy_smtp_auth>,
     .initial = "off",
     .syntax = "on | off",
     .doc = "Whether Postern logs in to the SMTP server behind it as the user.",
     .protocol = Protocol::smtp},
    {.name = "xclient",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = flag<&MailServer::xclient>,
     .initial = "on",
     .syntax = "on | off",
     .doc =
         "Whether the SMTP server behind Postern is told with XCLIENT who the client is: address, "
         "verified name and, unless `proxy_smtp_auth` is on, login; and its port, what it said in "
         "HELO or EHLO, SMTP or ESMTP, and where it came to, if the server's EHLO reply lists "
         "`PORT`, `HELO`, `PROTO`, `DESTADDR` and `DESTPORT` behind XCLIENT. The server must allow "
         "it: Postfix does if `smtpd_authorized_xclient_hosts` names this machine.",
     .protocol = Protocol::smtp},
};

}  // namespace

std::span<const Directive> smtp_directives()
{
    return kDirectives;
}

}  // namespace postern::config
