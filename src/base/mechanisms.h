// What "imap_auth", "pop3_auth", "smtp_auth" and "starttls" say: config/ reads it, the protocols'
// grammars offer it to clients.
#pragma once

#include <string_view>
#include <vector>

namespace postern {

// One mechanism a flag, of "imap_auth", "pop3_auth", "smtp_auth".
struct Mechanisms {
    bool plain = false;
    bool login = false;
    bool apop = false;
    bool cram_md5 = false;
    bool external = false;
    bool none = false;

    bool operator==(const Mechanisms&) const = default;
};

enum class StartTls : unsigned char { off, on, only };

// What "starttls" says and whether TLS is active: together they decide what a client is offered.
struct Protection {
    StartTls starttls = StartTls::off;
    bool tls = false;

    bool may_authenticate() const { return tls || starttls != StartTls::only; }
    bool offers_starttls() const { return !tls && starttls != StartTls::off; }
};

// The SASL names of those that are on (APOP and "none" are not SASL), in the order in which NGINX
// offers them: PLAIN LOGIN CRAM-MD5 EXTERNAL.
std::vector<std::string_view> sasl_names(const Mechanisms& mechanisms);

}  // namespace postern
