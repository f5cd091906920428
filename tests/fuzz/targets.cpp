#include "targets.h"

#include <cstdio>
#include <cstdlib>

namespace postern::fuzz {

std::span<const Target> targets()
{
    static constexpr Target kTargets[] = {
        {"configuration", configuration},
        {"imap_commands", imap_commands},
        {"pop3_commands", pop3_commands},
        {"smtp_commands", smtp_commands},
        {"backend_replies", backend_replies},
        {"sasl", sasl},
        {"encodings", encodings},
        {"service_answers", service_answers},
        {"service_requests", service_requests},
        {"proxy_header", proxy_header},
        {"users_file", users_file},
        {"names", names},
        {"tls_records", tls_records},
        {"imap_session", imap_session},
        {"pop3_session", pop3_session},
        {"smtp_session", smtp_session},
    };
    return kTargets;
}

void require(bool holds, std::string_view what)
{
    if (!holds) {
        std::fprintf(stderr, "this does not hold: %.*s\n", static_cast<int>(what.size()),
                     what.data());
        std::abort();
    }
}

}  // namespace postern::fuzz
