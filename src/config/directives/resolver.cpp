// Name lookup.
#include "config/directives/groups.h"
#include "config/setters.h"
#include "config/url.h"

namespace postern::config {

namespace {

// "valid=", "ipv4=" and "ipv6="; nothing if it is none of them, and so a server.
std::optional<Outcome> read_parameter(Resolver& resolver, std::string_view word)
{
    const Outcome bad = std::unexpected(fmt::format("invalid parameter: {}", word));
    if (word.starts_with("valid=")) {
        const auto value = parse_seconds(word.substr(6));
        if (!value) {
            return bad;
        }
        resolver.valid = std::min<seconds>(*value, kDurationMax);
        return Outcome{};
    }
    if (word.starts_with("ipv4=") || word.starts_with("ipv6=")) {
        const std::string_view value = word.substr(5);
        if (value != "on" && value != "off") {
            return bad;
        }
        (word[3] == '4' ? resolver.ipv4 : resolver.ipv6) = value == "on";
        return Outcome{};
    }
    return std::nullopt;
}

Outcome read_server(Resolver& resolver, std::string_view word)
{
    constexpr std::uint16_t kDnsPort = 53;  // RFC 1035 section 4.2
    const auto url = parse_url(word, UrlForm::server);
    if (!url || url->is_unix()) {
        return std::unexpected(
            fmt::format("{} in resolver \"{}\"", url ? "invalid host" : url.error(), word));
    }
    const auto addresses = resolve(*url, url->port.value_or(kDnsPort));
    if (addresses.empty()) {
        return std::unexpected(fmt::format("host not found in resolver \"{}\"", word));
    }
    resolver.servers.insert(resolver.servers.end(), addresses.begin(), addresses.end());
    return {};
}

Outcome resolver(Entry& entry)
{
    Resolver result;
    if (entry.argument(0) == "off") {
        entry.field(&MailServer::resolver) = result;
        return {};
    }
    result.configured = true;
    for (const std::string& word : entry.arguments()) {
        const auto parameter = read_parameter(result, word);
        if (auto read = parameter ? *parameter : read_server(result, word); !read) {
            return read;
        }
    }
    if (result.servers.empty()) {
        return std::unexpected("no name servers defined");
    }
    if (!result.ipv4 && !result.ipv6) {
        return std::unexpected("\"ipv4\" and \"ipv6\" cannot both be \"off\"");
    }
    entry.field(&MailServer::resolver) = std::move(result);
    return {};
}

constexpr Directive kDirectives[] = {
    {.name = "resolver",
     .where = kMail | kServer,
     .args = {1, Arity::kAny},
     .set = resolver,
     .initial = "off",
     .syntax = "ADDRESS[:PORT]… [valid=TIME] [ipv4=on|off] [ipv6=on|off] | off",
     .doc =
         "DNS servers for names that are needed at run time, instead of those of the system. With "
         "it SMTP clients' addresses are looked up too, for the mailbox server to know. They are "
         "asked in turn; if one fails or says nothing for 2 seconds, the next one is asked. "
         "`valid=` "
         "replaces the time for which answers are kept; failures are not kept. If all fail, "
         "servers "
         "that were found within the last day are believed to be where they were."},
    {.name = "resolver_timeout",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = duration<&MailServer::resolver_timeout>,
     .initial = "30s",
     .syntax = "TIME",
     .doc = "How long each of the two lookups for an SMTP client's name may take. Those of servers "
            "are a part of `auth_http_timeout` and `timeout`."},
};

}  // namespace

std::span<const Directive> resolver_directives()
{
    return kDirectives;
}

}  // namespace postern::config
