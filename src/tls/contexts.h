#pragma once

#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "config/error.h"
#include "config/settings.h"
#include "tls/acceptor.h"
#include "tls/client_context.h"

namespace postern::tls {

// All that a configuration says of TLS, loaded: keys and certificates are read here, by the process
// that may read them, and never again. Made anew at each reload; what is to outlive one (shared
// session caches, keys of tickets, self-signed certificates) is taken over from `old`.
class Contexts
{
public:
    // `settings` must outlive the result, which keeps pointers into it, and must not move.
    // `warnings` gets what is worth telling: a certificate that has expired or is not valid yet, a
    // self-signed one that was made because none is configured, and so on.
    static std::expected<std::unique_ptr<Contexts>, config::Error> load(
        const config::Settings& settings, const Contexts* old,
        std::vector<config::Warning>& warnings);
    ~Contexts();

    // Null if no server at this address has TLS.
    const Acceptor* acceptor(const SocketAddress& listen) const;
    // Null if the server (an index in Settings::servers) never needs one.
    const ClientContext* for_backends(std::size_t server) const;
    const ClientContext* for_auth_http(std::size_t server) const;

private:
    Contexts();
    struct Parts;
    class Loader;
    std::unique_ptr<Parts> parts_;
};

}  // namespace postern::tls
