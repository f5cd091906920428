// TLS with clients. The files are not opened here.
#include "config/directives/groups.h"
#include "config/setters.h"

namespace postern::config {

namespace {

constexpr std::uint64_t kPageBytes = 4096;

Outcome starttls(Entry& entry)
{
    const std::string word = to_lower(entry.argument(0));
    StartTls& mode = entry.field(&MailServer::starttls);
    if (word == "off") {
        mode = StartTls::off;
    } else if (word == "on") {
        mode = StartTls::on;
    } else if (word == "only") {
        mode = StartTls::only;
    } else {
        return Entry::invalid_word(entry.argument(0), "off, on or only");
    }
    entry.field(&MailServer::starttls_where) = entry.where();
    return {};
}

// The PEM text itself, or something that OpenSSL fetches, is no file's name.
bool is_file(std::string_view text)
{
    return !text.starts_with("data:") && !text.starts_with("engine:") &&
           !text.starts_with("store:");
}

// The n-th key belongs to the n-th certificate; either may be written first.
template <Written SslPair::* kHalf>
Outcome pair_half(Entry& entry)
{
    const std::string& text = entry.argument(0);
    if (text.empty()) {
        return entry.invalid("value", "a file's name");
    }
    auto& pairs = entry.field(&Ssl::pairs);
    if (entry.first_of({"ssl_certificate", "ssl_certificate_key"})) {
        pairs.clear();
    }
    auto free =
        std::ranges::find_if(pairs, [](const SslPair& pair) { return (pair.*kHalf).text.empty(); });
    if (free == pairs.end()) {
        free = pairs.insert(free, SslPair{});
    }
    (*free).*kHalf = {is_file(text) ? entry.below_directory(text) : text, entry.where()};
    return {};
}

Outcome protocols(Entry& entry)
{
    constexpr std::string_view kNames[] = {"SSLv2",   "SSLv3",   "TLSv1",
                                           "TLSv1.1", "TLSv1.2", "TLSv1.3"};
    auto& [list, where] = entry.field(&Ssl::protocols);
    where = entry.where();
    if (entry.first()) {
        list.clear();
    }
    for (const std::string& word : entry.arguments()) {
        const auto* known = std::ranges::find_if(
            kNames, [&](std::string_view name) { return iequals(name, word); });
        if (known == std::end(kNames)) {
            return Entry::invalid_word(word, "TLSv1.2 or TLSv1.3, or TLSv1, TLSv1.1, SSLv2, SSLv3");
        }
        if (std::ranges::find(list, *known) != list.end()) {
            entry.warn(fmt::format("duplicate value \"{}\"", word));
            continue;
        }
        list.emplace_back(*known);
    }
    return {};
}

Outcome shared_zone(SslSessionCache& cache, std::string_view word)
{
    const std::string_view zone = word.substr(word.find(':') + 1);
    const std::size_t colon = zone.find(':');
    const auto bytes = colon == std::string_view::npos || colon == 0
                           ? std::nullopt
                           : parse_size(zone.substr(colon + 1));
    if (!bytes) {
        return std::unexpected(
            fmt::format("invalid session cache \"{}\" (shared:NAME:SIZE is wanted)", word));
    }
    if (*bytes < 8 * kPageBytes) {
        return std::unexpected(fmt::format("session cache \"{}\" is too small", word));
    }
    cache.zone = zone.substr(0, colon);
    cache.zone_bytes = *bytes;
    return {};
}

// A repeated directive replaces the parts it names.
Outcome session_cache(Entry& entry)
{
    constexpr std::string_view kBuiltin = "builtin:";
    auto& cache = entry.field(&Ssl::session_cache);
    if (entry.first()) {
        cache = {};
    }
    cache.where = entry.where();
    for (const std::string& word : entry.arguments()) {
        if (word.starts_with("shared:")) {
            if (auto read = shared_zone(cache, word); !read) {
                return read;
            }
            continue;
        }
        const auto sessions =
            word.starts_with(kBuiltin)
                ? parse_number<std::uint32_t>(std::string_view(word).substr(kBuiltin.size()))
                : std::nullopt;
        if (word == "off") {
            cache.own = SslSessionCache::Own::off;
        } else if (word == "none") {
            cache.own = SslSessionCache::Own::none;
        } else if (word == "builtin" || sessions) {
            cache.own = SslSessionCache::Own::builtin;
            cache.builtin_sessions = sessions.value_or(0);
        } else {
            return std::unexpected(
                fmt::format("invalid session cache \"{}\" (off, none, builtin, "
                            "builtin:SIZE or shared:NAME:SIZE is wanted)",
                            word));
        }
    }
    return {};
}

// For OpenSSL to read, later.
template <Written Ssl::* kMember>
Outcome for_openssl(Entry& entry)
{
    if (has_control(entry.argument(0))) {
        return entry.invalid("value", "text without control characters");
    }
    entry.field(kMember) = {entry.argument(0), entry.where()};
    return {};
}

constexpr Directive kDirectives[] = {
    {.name = "starttls",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = starttls,
     .initial = "off",
     .syntax = "off | on | only",
     .doc =
         "Whether clients may, or must, switch to TLS before they log in. `on` and `only` are not "
         "supported by this version."},
    {.name = "ssl_certificate",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = pair_half<&SslPair::certificate>,
     .syntax = "FILE | data:PEM",
     .default_text = "none",
     .doc = "A certificate with its chain, in PEM. Relative to the configuration's directory.",
     .again = Again::adds},
    {.name = "ssl_certificate_key",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = pair_half<&SslPair::key>,
     .syntax = "FILE | data:PEM | engine:NAME:ID | store:URI",
     .default_text = "none",
     .doc = "The key of the certificate written at the same place in the list of those.",
     .again = Again::adds},
    {.name = "ssl_protocols",
     .where = kMail | kServer,
     .args = {1, Arity::kAny},
     .set = protocols,
     .initial = "TLSv1.2 TLSv1.3",
     .syntax = "TLSv1 | TLSv1.1 | TLSv1.2 | TLSv1.3 …",
     .doc = "Which versions of TLS are offered.",
     .again = Again::adds},
    {.name = "ssl_ciphers",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = for_openssl<&Ssl::ciphers>,
     .initial = "HIGH:!aNULL:!MD5",
     .syntax = "CIPHERS",
     .doc = "Ciphers up to TLS 1.2, as OpenSSL writes them."},
    {.name = "ssl_prefer_server_ciphers",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = flag<&Ssl::prefer_server_ciphers>,
     .initial = "off",
     .syntax = "on | off",
     .doc = "Whether our order of ciphers counts more than the client's."},
    {.name = "ssl_session_cache",
     .where = kMail | kServer,
     .args = {1, 2},
     .set = session_cache,
     .initial = "none",
     .syntax = "off | none | [builtin[:SIZE]] [shared:NAME:SIZE]",
     .doc = "Where TLS sessions are kept for clients that come back.",
     .again = Again::last_wins},
    {.name = "ssl_session_timeout",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = coarse_duration<&Ssl::session_timeout>,
     .initial = "5m",
     .syntax = "TIME",
     .doc = "How long a TLS session may be resumed."},
};

}  // namespace

std::span<const Directive> ssl_directives()
{
    return kDirectives;
}

}  // namespace postern::config
