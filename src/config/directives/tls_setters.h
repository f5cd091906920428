// Setters that TLS with clients (ssl_*), with mailbox servers (proxy_ssl_*) and with the service
// (auth_http_ssl_*) have in common. They read words; tls/ opens the files.
#pragma once

#include "config/setters.h"

namespace postern::config {

// A file's name made absolute. What is no file's name, "data:PEM" and things that OpenSSL fetches,
// stays as it is.
Written certificate_source(const Entry& entry);

Outcome read_protocols(Entry& entry, SslProtocols& protocols);
Outcome read_command(Entry& entry, std::vector<SslCommand>& commands);

// A file that has to be named.
template <auto... kPath>
Outcome file(Entry& entry)
{
    if (entry.argument(0).empty()) {
        return entry.invalid("value", "a file's name");
    }
    entry.field(kPath...) = {entry.below_directory(entry.argument(0)), entry.where()};
    return {};
}

// NGINX: an empty name is that of no file, so that a server can do without one that it inherits.
template <auto... kPath>
Outcome file_or_none(Entry& entry)
{
    if (entry.argument(0).empty()) {
        entry.field(kPath...) = {"", entry.where()};
        return {};
    }
    return file<kPath...>(entry);
}

// For OpenSSL to read, later.
template <auto... kPath>
Outcome for_openssl(Entry& entry)
{
    if (entry.argument(0).empty() || has_control(entry.argument(0))) {
        return entry.invalid("value", "a list as OpenSSL writes it");
    }
    entry.field(kPath...) = {entry.argument(0), entry.where()};
    return {};
}

// Versions of TLS. They add up within a block and replace what it inherited.
template <auto... kPath>
Outcome protocols(Entry& entry)
{
    return read_protocols(entry, entry.field(kPath...));
}

// How many certificates may stand between a peer's own and one that is trusted.
template <auto... kPath>
Outcome depth(Entry& entry)
{
    constexpr unsigned kMax = 100;  // more never occur, and OpenSSL counts with ints
    const auto value = parse_number<unsigned>(entry.argument(0));
    if (!value) {
        return entry.invalid("number", "a number");
    }
    entry.field(kPath...) = std::min(*value, kMax);
    return {};
}

// NAME VALUE. They add up within a block and replace what it inherited.
template <auto... kPath>
Outcome command(Entry& entry)
{
    return read_command(entry, entry.field(kPath...));
}

}  // namespace postern::config
