// "limit_auth_failures", "login_timeout" and "limit_login_bytes".
#include "config/directives/groups.h"
#include "config/setters.h"

namespace postern::config {

namespace {

// Counts are kept in 14 bits, sixteenths among them.
constexpr unsigned kMostFailures = 1000;

Outcome read_limit(const Entry& entry, AuthFailureLimit& limit)
{
    const auto most = parse_number<unsigned>(entry.argument(1));
    if (!most || *most == 0 || *most > kMostFailures) {
        return entry.invalid("number", fmt::format("off, or 1 to {}", kMostFailures));
    }
    limit.most = *most;
    for (std::size_t i = 2; i < entry.arguments().size(); ++i) {
        const std::string_view word = entry.argument(i);
        if (word.starts_with("delay=")) {
            const auto delay = parse_milliseconds(word.substr(6));
            if (!delay || *delay > kLongestFailureDelay) {
                return Entry::invalid_word(
                    word, "delay=TIME, of no more than 1m, as in delay=500ms or delay=2s");
            }
            limit.delay = *delay;
        } else if (word.starts_with("time=")) {
            const auto time = parse_seconds(word.substr(5));
            if (!time || time->count() == 0 || *time > kLongestFailureTime) {
                return Entry::invalid_word(word,
                                           "time=TIME, of 1s to 30d, as in time=10m or time=1h");
            }
            limit.time = *time;
        } else {
            return Entry::invalid_word(word, "delay=TIME or time=TIME");
        }
    }
    return {};
}

// Each of the two is inherited by itself.
Outcome limit_auth_failures(Entry& entry)
{
    auto& written = entry.server().words_written;
    if (entry.first()) {
        std::erase_if(written,
                      [&](const std::string& one) { return one.starts_with(entry.name()); });
    }
    const std::string& whom = entry.argument(0);
    const bool all_off = whom == "off" && entry.arguments().size() == 1;
    if (!all_off && whom != "address" && whom != "user") {
        return Entry::invalid_word(whom, "address, user or off");
    }
    if (!all_off && entry.arguments().size() == 1) {
        return std::unexpected(fmt::format(
            "invalid number of arguments in \"limit_auth_failures\" directive: \"{} NUMBER\" or "
            "\"{} off\" is wanted",
            whom, whom));
    }
    const auto set = [&](AuthFailureLimit MailServer::* field, std::string_view name) -> Outcome {
        if (!written.insert(fmt::format("{} {}", entry.name(), name)).second) {
            return std::unexpected(
                fmt::format("\"limit_auth_failures {}\" directive is duplicate", name));
        }
        // What isn't said is as it is by default.
        AuthFailureLimit limit{.most = 0,
                               .delay = std::chrono::milliseconds(500),
                               .time = name == "user" ? seconds(3600) : seconds(600)};
        const bool off = all_off || (entry.argument(1) == "off" && entry.arguments().size() == 2);
        if (!off) {
            if (auto read = read_limit(entry, limit); !read) {
                return read;
            }
        }
        entry.field(field) = limit;
        return {};
    };
    if (all_off || whom == "address") {
        if (auto done = set(&MailServer::address_failures, "address"); !done) {
            return done;
        }
    }
    if (all_off || whom == "user") {
        return set(&MailServer::user_failures, "user");
    }
    return {};
}

constexpr Directive kDirectives[] = {
    {.name = "limit_auth_failures",
     .where = kMail | kServer,
     .args = {1, 4},
     .set = limit_auth_failures,
     .initial = "address 100 delay=500ms time=10m; user 100 delay=500ms time=1h",
     .syntax = "address|user NUMBER [delay=TIME] [time=TIME] | address|user off | off",
     .doc = "How many logins may fail for one client address (of IPv6, a /64), and for one user "
            "name, in TIME. Each that fails is answered later than the one before: after `delay`, "
            "then twice that, up to sixteen times. Beyond NUMBER logins are refused for `time`, "
            "without asking anybody. Who tries the same password again adds nothing. A user who "
            "comes from a network where that name has logged in within 30 days is only held to the "
            "failures of that name at that address: nobody is locked out by what others guess. "
            "Counted in memory of fixed size for all event loops, and kept over reloads. See "
            "docs/operations.md.",
     .again = Again::adds,
     .since = Since::postern},
    {.name = "login_timeout",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = duration<&MailServer::login_timeout>,
     .initial = "3m",
     .syntax = "TIME",
     .doc = "How long after it has connected a client may still be without a login, whatever it "
            "does: it is told goodbye then. A login that is being looked up or made at that moment "
            "goes on, and one that has failed is answered. `0` switches it off; `timeout` holds "
            "beside it.",
     .since = Since::postern},
    {.name = "limit_login_bytes",
     .where = kMail | kServer,
     .args = {1, 1},
     .set = size<&MailServer::limit_login_bytes>,
     .initial = "64k",
     .syntax = "SIZE",
     .doc = "How much a client may send before it is logged in, as it is without TLS. `0` switches "
            "it off.",
     .since = Since::postern},
};

}  // namespace

std::span<const Directive> login_limit_directives()
{
    return kDirectives;
}

}  // namespace postern::config
