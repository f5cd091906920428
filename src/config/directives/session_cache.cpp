#include "config/directives/session_cache.h"

#include <fmt/format.h>

#include "base/text.h"
#include "base/units.h"

namespace postern::config {

namespace {

using Own = SslSessionCache::Own;

constexpr std::string_view kShared = "shared:";
constexpr std::string_view kBuiltin = "builtin:";

// "shared:NAME:SIZE".
Outcome read_zone(Entry& entry, SslSessionCache& cache, std::string_view word)
{
    constexpr std::size_t kBytesMin = 8 * 4096;  // NGINX: eight pages
    const std::string_view zone = word.substr(kShared.size());
    const std::size_t colon = zone.find(':');
    const auto bytes = colon == std::string_view::npos || colon == 0
                           ? std::nullopt
                           : parse_size(zone.substr(colon + 1));
    if (!bytes) {
        return std::unexpected(
            fmt::format("invalid session cache \"{}\" (shared:NAME:SIZE is wanted)", word));
    }
    if (*bytes < kBytesMin) {
        return std::unexpected(
            fmt::format("session cache \"{}\" is too small (32k or more is wanted)", word));
    }
    const std::string name(zone.substr(0, colon));
    const auto [known, is_new] = entry.draft().zones.try_emplace(name, *bytes);
    if (!is_new && known->second != *bytes) {
        return std::unexpected(
            fmt::format("the size {} of shared memory zone \"{}\" conflicts with already declared "
                        "size {}",
                        *bytes, name, known->second));
    }
    cache.zone = name;
    cache.zone_bytes = *bytes;
    return {};
}

// "off", "none", "builtin" or "builtin:SESSIONS".
Outcome read_own(Entry& entry, SslSessionCache& cache, std::string_view word)
{
    const auto sessions = word.starts_with(kBuiltin)
                              ? parse_number<std::uint32_t>(word.substr(kBuiltin.size()))
                              : std::nullopt;
    if (word == "off") {
        cache.own = Own::off;
    } else if (word == "none") {
        cache.own = Own::none;
    } else if (word == "builtin" || sessions) {
        cache.own = Own::builtin;
        cache.builtin_sessions = sessions.value_or(0);
    } else {
        return std::unexpected(
            fmt::format("invalid session cache \"{}\" (off, none, builtin, builtin:SESSIONS or "
                        "shared:NAME:SIZE is wanted)",
                        word));
    }
    entry.server().no_sessions = cache.own != Own::builtin;
    return {};
}

}  // namespace

// NGINX: each part is inherited by itself, and a repeated directive replaces the part that it
// names.
Outcome session_cache(Entry& entry)
{
    auto& cache = entry.field(&MailServer::ssl, &Ssl::session_cache);
    if (entry.first()) {
        cache.own = Own::none;
        cache.builtin_sessions = 0;
        entry.server().no_sessions = false;
    }
    cache.where = entry.where();
    for (const std::string& word : entry.arguments()) {
        auto read = word.starts_with(kShared) ? read_zone(entry, cache, word)
                                              : read_own(entry, cache, word);
        if (!read) {
            return read;
        }
    }
    return {};
}

}  // namespace postern::config
