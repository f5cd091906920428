// What POP3 clients are offered.
#include "config/directives/groups.h"
#include "config/setters.h"

namespace postern::config {

namespace {

constexpr std::string_view kMechanisms = "plain apop cram-md5 external";

constexpr Directive kDirectives[] = {
    {.name = "pop3_auth",
     .where = kMail | kServer,
     .args = {1, Arity::kAny},
     .set = mechanisms<&MailServer::pop3_auth, kMechanisms>,
     .initial = "plain",
     .syntax = "plain | apop | cram-md5 | external …",
     .doc =
         "Which ways to log in are offered; `plain` offers `LOGIN` too. `USER` and `PASS`, `AUTH "
         "PLAIN` and `AUTH LOGIN` are always accepted.",
     .again = Again::adds,
     .protocol = Protocol::pop3},
    {.name = "pop3_capabilities",
     .where = kMail | kServer,
     .args = {1, Arity::kAny},
     .set = capabilities<&MailServer::pop3_capabilities>,
     .initial = "TOP USER UIDL",
     .syntax = "WORD…",
     .doc = "What `CAPA` is answered with, a line each: what the mailbox servers can.",
     .again = Again::adds,
     .protocol = Protocol::pop3},
    {.name = "pop3_client_buffer",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = size<&MailServer::pop3_client_buffer>,
     .initial = "4k",
     .syntax = "SIZE",
     .doc = "How long a command may be. NGINX has no such directive and takes 128 bytes.",
     .since = Since::postern,
     .protocol = Protocol::pop3},
};

}  // namespace

std::span<const Directive> pop3_directives()
{
    return kDirectives;
}

}  // namespace postern::config
