// Mail servers: where they listen, what they speak, how patient they are.
#include "config/directives/groups.h"
#include "config/directives/listen.h"
#include "config/directives/server_name.h"
#include "config/setters.h"

namespace postern::config {

namespace {

Outcome protocol(Entry& entry)
{
    const std::string& word = entry.argument(0);
    for (const Protocol each : {Protocol::imap, Protocol::pop3, Protocol::smtp}) {
        if (word == to_string(each)) {
            entry.server().protocol = each;
            return require_in_build(each);
        }
    }
    return std::unexpected(
        fmt::format("unknown protocol \"{}\" (imap, pop3 or smtp is wanted)", word));
}

constexpr Directive kDirectives[] = {
    {.name = "mail",
     .where = kMain,
     .doc = "Holds mail servers, and what they have in common.",
     .kind = Kind::block,
     .opens = kMail},
    {.name = "server",
     .where = kMail,
     .doc = "One mail server. It inherits what `mail` says and may say otherwise.",
     .kind = Kind::block,
     .opens = kServer,
     .again = Again::adds},
    {.name = "listen",
     .where = kServer,
     .args = {1, Arity::kAny},
     .set = listen,
     .syntax = "[ADDRESS:]PORT[-PORT] | unix:PATH [ssl] [default_server] [proxy_protocol] [bind] "
               "[backlog=NUMBER] "
               "[rcvbuf=SIZE] [sndbuf=SIZE] [ipv6only=on|off] "
               "[multipath] [so_keepalive[=on|off|[IDLE]:[INTERVAL]:[COUNT]]]",
     .default_text = "none: every server needs one",
     .doc =
         "Where clients connect. ADDRESS is an IPv4 address, an IPv6 address in brackets, `*` or "
         "a host name, all of whose addresses are used. `ssl`: TLS from the first byte. Several "
         "servers may share an address and port (which NGINX's can't) if they speak the same "
         "protocol there, and all of them have `ssl` there or all have `starttls`: the name that "
         "a client asks for in TLS picks one by its `server_name`, and who asks for none or for "
         "another gets the first, or the `default_server`. Only one of them may have `bind` and "
         "what follows it. `proxy_protocol`: each connection begins with a header of the PROXY "
         "protocol, version 1 or 2; whose header is believed, `set_real_ip_from` says.",
     .again = Again::adds},
    {.name = "protocol",
     .where = kServer,
     .args = {1, 1},
     .set = protocol,
     .syntax = "imap | pop3 | smtp",
     .default_text = "by the port",
     .doc = "What the server speaks. Without it each `listen` speaks what its port is well known "
            "for: 143 and 993 IMAP, 110 and 995 POP3, 25, 465 and 587 SMTP; other ports speak what "
            "the first such port of the server does.",
     .again = Again::last_wins},
    {.name = "server_name",
     .where = kMail | kServer,
     .args = {1, Arity::kAny},
     .set = server_name,
     .syntax = "NAME | *.DOMAIN …",
     .default_text = "the host's name",
     .doc = "By the first NAME Postern greets clients and mailbox servers. All of them are names "
            "that clients may ask for in TLS: they pick one of several servers that share an "
            "address (see `listen`), and self-signed certificates are made for them. NGINX has a "
            "single name."},
    {.name = "timeout",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = duration<&MailServer::timeout>,
     .initial = "60s",
     .syntax = "TIME",
     .doc = "How long everything before the relay may take: greeting, login, connecting to the "
            "mailbox server."},
    {.name = "max_errors",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = number<&MailServer::max_errors>,
     .initial = "5",
     .syntax = "NUMBER",
     .doc = "After how many lines that are no commands a client is disconnected."},
    {.name = "max_commands",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = number<&MailServer::max_commands>,
     .initial = "1000",
     .syntax = "NUMBER",
     .doc = "How many commands a client may send before it has logged in.",
     .since = Since::postern},
};

}  // namespace

std::span<const Directive> mail_directives()
{
    return kDirectives;
}

}  // namespace postern::config
