// What IMAP clients are offered.
#include "config/directives/groups.h"
#include "config/setters.h"

namespace postern::config {

namespace {

constexpr std::string_view kMechanisms = "plain login cram-md5 external";

constexpr Directive kDirectives[] = {
    {.name = "imap_auth",
     .where = kMail | kServer,
     .args = {1, Arity::kAny},
     .set = mechanisms<&MailServer::imap_auth, kMechanisms>,
     .initial = "plain",
     .syntax = "plain | login | cram-md5 | external …",
     .doc = "Which ways to log in are offered. `LOGIN`, `AUTHENTICATE PLAIN` and `AUTHENTICATE "
            "LOGIN` are always accepted.",
     .again = Again::adds,
     .protocol = Protocol::imap},
    {.name = "imap_capabilities",
     .where = kMail | kServer,
     .args = {1, Arity::kAny},
     .set = capabilities<&MailServer::imap_capabilities>,
     .initial = "IMAP4 IMAP4rev1 UIDPLUS",
     .syntax = "WORD…",
     .doc = "What `CAPABILITY` is answered with: what the mailbox servers can.",
     .again = Again::adds,
     .protocol = Protocol::imap},
    {.name = "imap_client_buffer",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = size<&MailServer::imap_client_buffer>,
     .initial = "4k",
     .syntax = "SIZE",
     .doc = "How long a command may be.",
     .protocol = Protocol::imap},
};

}  // namespace

std::span<const Directive> imap_directives()
{
    return kDirectives;
}

}  // namespace postern::config
