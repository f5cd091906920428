// "limit_conn" and its kin: how many may connect, and how fast.
#include "config/directives/groups.h"
#include "config/peers.h"
#include "config/setters.h"

namespace postern::config {

namespace {

constexpr unsigned kMostCounted = 10'000'000;
constexpr unsigned kFastest = 100'000;  // a second

// The word of a directive that may be repeated with another word: each is inherited by itself.
Outcome once(Entry& entry)
{
    auto& written = entry.server().words_written;
    const std::string name(entry.name());
    if (entry.first()) {
        std::erase_if(written, [&](const std::string& one) { return one.starts_with(name + ' '); });
    }
    if (!written.insert(name + ' ' + entry.argument(0)).second) {
        return std::unexpected(
            fmt::format("\"{} {}\" directive is duplicate", name, entry.argument(0)));
    }
    return {};
}

template <auto kLimits>
Outcome counts(Entry& entry)
{
    const std::string& word = entry.argument(0);
    ConnLimits& limits = entry.field(kLimits);
    unsigned* const limit = word == "total"     ? &limits.total
                            : word == "address" ? &limits.address
                            : word == "network" ? &limits.network
                                                : nullptr;
    if (limit == nullptr) {
        return Entry::invalid_word(word, "total, address or network");
    }
    if (entry.argument(1) == "off") {
        *limit = 0;
        return once(entry);
    }
    const auto number = parse_number<unsigned>(entry.argument(1));
    if (!number || *number == 0 || *number > kMostCounted) {
        return entry.invalid("number", fmt::format("off, or 1 to {}", kMostCounted));
    }
    *limit = *number;
    return once(entry);
}

// The arguments from `index` on: "off", or "Nr/s" or "Nr/m", and "burst=N".
Outcome read_rate(const Entry& entry, std::size_t index, Rate& rate)
{
    rate = {};
    std::string_view text = entry.argument(index);
    const std::size_t count = entry.arguments().size();
    if (text == "off" && count == index + 1) {
        return {};
    }
    const bool is_per_minute = text.ends_with("r/m");
    const bool has_unit = is_per_minute || text.ends_with("r/s");
    text.remove_suffix(has_unit ? 3 : 0);
    const auto number = parse_number<unsigned>(text);
    if (!has_unit || !number || *number == 0 || *number > kFastest) {
        return Entry::invalid_word(entry.argument(index),
                                   "off, or a rate such as 20r/s or 90r/m, of 100000r/s at most");
    }
    rate.per_1000_seconds = std::uint64_t{*number} * 1000 / (is_per_minute ? 60 : 1);
    if (count > index + 1) {
        std::string_view burst = entry.argument(index + 1);
        const bool is_burst = burst.starts_with("burst=");
        burst.remove_prefix(is_burst ? 6 : 0);
        const auto waiting = parse_number<unsigned>(burst);
        if (!is_burst || !waiting || *waiting > kMostCounted) {
            return Entry::invalid_word(entry.argument(index + 1), "burst=NUMBER");
        }
        rate.burst = *waiting;
    }
    return {};
}

Outcome limit_conn_rate(Entry& entry)
{
    const std::string& word = entry.argument(0);
    ConnRates& rates = entry.field(&MailServer::limit_conn_rate);
    if (word != "address" && word != "network") {
        return Entry::invalid_word(word, "address or network");
    }
    if (auto read = read_rate(entry, 1, word == "address" ? rates.address : rates.network); !read) {
        return read;
    }
    return once(entry);
}

Outcome limit_handshakes(Entry& entry)
{
    return read_rate(entry, 0, entry.field(&MailServer::limit_handshakes));
}

Outcome limit_exempt(Entry& entry)
{
    auto& peers = entry.field(&MailServer::limit_exempt);
    if (entry.first()) {
        peers.clear();
    }
    if (entry.argument(0) == "none") {
        return {};
    }
    auto more = read_peers(entry);
    if (!more) {
        return std::unexpected(std::move(more.error()));
    }
    std::ranges::move(*more, std::back_inserter(peers));
    return {};
}

constexpr Choice<LogLevel> kLogLevels[] = {{"info", LogLevel::info},
                                           {"notice", LogLevel::notice},
                                           {"warn", LogLevel::warn},
                                           {"error", LogLevel::error}};

constexpr Directive kDirectives[] = {
    {.name = "limit_conn",
     .where = kMail | kServer,
     .args = {2, 2},
     .set = counts<&MailServer::limit_conn>,
     .syntax = "total | address | network NUMBER | off",
     .default_text = "off",
     .doc = "How many sessions there may be at a time: in all, of one client address (of IPv6: of "
            "one /64) and of one network (/24, of IPv6 /48). Logged-in sessions count, but none is "
            "ever ended for it: newcomers wait for up to 10 seconds, and are then told to come "
            "again later.",
     .again = Again::adds,
     .since = Since::postern},
    {.name = "limit_newcomers",
     .where = kMail | kServer,
     .args = {2, 2},
     .set = counts<&MailServer::limit_newcomers>,
     .initial = "address 500; network 2000",
     .syntax = "total | address | network NUMBER | off",
     .doc = "As `limit_conn`, for clients that have not logged in yet.",
     .again = Again::adds,
     .since = Since::postern},
    {.name = "limit_conn_rate",
     .where = kMail | kServer,
     .args = {2, 3},
     .set = limit_conn_rate,
     .initial = "address 100r/s burst=1000",
     .syntax = "address | network RATE [burst=NUMBER] | off",
     .doc = "How many connections a second (`20r/s`) or minute (`90r/m`) one client address or "
            "network may make. As many as `burst` says (0) may come earlier. Others wait for their "
            "turn; who would wait for more than 10 seconds is told to come again later.",
     .again = Again::adds,
     .since = Since::postern},
    {.name = "limit_handshakes",
     .where = kMail | kServer,
     .args = {1, 2},
     .set = limit_handshakes,
     .initial = "5000r/s burst=5000",
     .syntax = "RATE [burst=NUMBER] | off",
     .doc = "How many TLS handshakes with clients may begin in a second, in all servers with the "
            "same rate together. One begins when the client says something. As many as `burst` "
            "says (0) may begin earlier. Others wait for "
            "their turn; who would wait for more than 10 seconds is hung up on.",
     .since = Since::postern},
    {.name = "limit_exempt",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = limit_exempt,
     .initial = "127.0.0.0/8; ::1; unix:",
     .syntax = "ADDRESS | ADDRESS/BITS | HOST | unix: | none",
     .doc = "Clients whom no limit by address or network concerns, nor `limit_conn total` and "
            "`limit_newcomers total`, such as webmail. With the PROXY protocol it is the address "
            "in its header that counts, if `set_real_ip_from` trusts it. Those of a server replace "
            "those of `mail`.",
     .again = Again::adds,
     .since = Since::postern},
    {.name = "limit_log_level",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = choice<kLogLevels, &MailServer::limit_log_level>,
     .initial = "error",
     .syntax = "info | notice | warn | error",
     .doc = "The level of the log lines about clients whom a limit turns away. Lines about those "
            "who wait are a level below.",
     .since = Since::postern},
    {.name = "limit_dry_run",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = flag<&MailServer::limit_dry_run>,
     .initial = "off",
     .syntax = "on | off",
     .doc = "Whether limits are only logged, and turn nobody away.",
     .since = Since::postern},
};

}  // namespace

std::span<const Directive> limit_directives()
{
    return kDirectives;
}

}  // namespace postern::config
