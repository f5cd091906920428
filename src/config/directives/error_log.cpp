#include "config/directives/error_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

#include "base/text.h"
#include "base/units.h"
#include "config/url.h"

namespace postern::config {

namespace {

using Failure = std::unexpected<std::string>;

// RFC 5424 table 1, in the order of its codes, with NGINX's names.
constexpr std::array<std::string_view, 24> kFacilities = {
    "kern",   "user",   "mail",     "daemon", "auth",   "intern", "lpr",    "news",
    "uucp",   "clock",  "authpriv", "ftp",    "ntp",    "audit",  "alert",  "cron",
    "local0", "local1", "local2",   "local3", "local4", "local5", "local6", "local7"};

// What was read of "syslog:", so that repeated parts can be refused.
struct Syslog {
    LogTarget& target;
    bool facility = false;
    bool severity = false;
    bool tag = false;
};

Outcome duplicate(std::string_view part)
{
    return Failure(fmt::format("duplicate syslog \"{}\"", part));
}

Outcome syslog_server(Syslog& syslog, std::string_view value)
{
    constexpr std::uint16_t kSyslogPort = 514;
    if (!syslog.target.path.empty()) {
        return duplicate("server");
    }
    const auto url = parse_url(value, UrlForm::server);
    if (!url) {
        return Failure(fmt::format("{} in syslog server \"{}\"", url.error(), value));
    }
    const auto addresses = resolve(*url, url->port.value_or(kSyslogPort));
    if (addresses.empty()) {
        return Failure(fmt::format("host not found in syslog server \"{}\"", value));
    }
    syslog.target.path = addresses.front().text();
    return {};
}

Outcome syslog_facility(Syslog& syslog, std::string_view value)
{
    if (std::exchange(syslog.facility, true)) {
        return duplicate("facility");
    }
    const auto* known = std::ranges::find(kFacilities, value);
    if (known == kFacilities.end()) {
        return Failure(fmt::format("unknown syslog facility \"{}\"", value));
    }
    syslog.target.syslog_facility = static_cast<unsigned char>(known - kFacilities.begin());
    return {};
}

// NGINX: read and checked, but each line has its own severity.
Outcome syslog_severity(Syslog& syslog, std::string_view value)
{
    if (std::exchange(syslog.severity, true)) {
        return duplicate("severity");
    }
    if (!parse_log_level(value)) {
        return Failure(fmt::format("unknown syslog severity \"{}\"", value));
    }
    return {};
}

Outcome syslog_tag(Syslog& syslog, std::string_view value)
{
    constexpr std::size_t kTagBytesMax = 32;  // RFC 3164 section 4.1.3
    if (std::exchange(syslog.tag, true)) {
        return duplicate("tag");
    }
    if (value.size() > kTagBytesMax) {
        return Failure("syslog tag length exceeds 32");
    }
    if (!std::ranges::all_of(value,
                             [](char c) { return is_alpha(c) || is_digit(c) || c == '_'; })) {
        return Failure("syslog \"tag\" only allows alphanumeric characters and underscore");
    }
    syslog.target.syslog_tag = value;
    return {};
}

Outcome syslog_part(Syslog& syslog, std::string_view part)
{
    const std::size_t equals = std::min(part.find('='), part.size());
    const std::string_view name = part.substr(0, equals);
    const std::string_view value = part.substr(std::min(equals + 1, part.size()));
    if (part == "nohostname") {
        syslog.target.syslog_nohostname = true;
        return {};
    }
    if (equals != part.size()) {
        if (name == "server") {
            return syslog_server(syslog, value);
        }
        if (name == "facility") {
            return syslog_facility(syslog, value);
        }
        if (name == "severity") {
            return syslog_severity(syslog, value);
        }
        if (name == "tag") {
            return syslog_tag(syslog, value);
        }
    }
    return Failure(fmt::format("unknown syslog parameter \"{}\"", part));
}

Outcome read_syslog(LogTarget& target, std::string_view parts)
{
    target.kind = LogTarget::Kind::syslog;
    Syslog syslog{target};
    for (;;) {
        const std::size_t comma = parts.find(',');
        if (auto read = syslog_part(syslog, parts.substr(0, comma)); !read) {
            return read;
        }
        if (comma == std::string_view::npos) {
            break;
        }
        parts.remove_prefix(comma + 1);
    }
    if (target.path.empty()) {
        return Failure("no syslog server specified");
    }
    return {};
}

Outcome read_memory(const Entry& entry, LogTarget& target, std::string_view text)
{
    // NGINX: a line of the log, and what stands in front of it.
    const std::size_t least = 2048 + 51 + entry.where().file.size();
    const auto size = parse_size(text);
    if (!size || *size < least || *size > std::numeric_limits<std::uint32_t>::max()) {
        return Failure(
            fmt::format("invalid buffer size \"{}\" (a size of {} to {} bytes is wanted)", text,
                        least, std::numeric_limits<std::uint32_t>::max()));
    }
    target.kind = LogTarget::Kind::memory;
    target.path = entry.where().text();
    target.memory_bytes = *size;
    return {};
}

// NGINX's parts of "debug", which it may have several of. Ours has no parts.
bool is_debug_part(std::string_view word)
{
    constexpr std::array<std::string_view, 7> kParts = {"debug_core",  "debug_alloc", "debug_mutex",
                                                        "debug_event", "debug_http",  "debug_mail",
                                                        "debug_stream"};
    return std::ranges::find(kParts, word) != kParts.end();
}

Outcome read_levels(const Entry& entry, LogTarget& target)
{
    bool level = false;
    bool parts = false;
    for (std::size_t i = 1; i < entry.arguments().size(); ++i) {
        const std::string& word = entry.argument(i);
        if (is_debug_part(word) && level == parts) {  // NGINX: not behind a level
            target.level = LogLevel::debug;
            level = parts = true;
            continue;
        }
        const auto known = parse_log_level(word);
        if (!known) {
            return Failure(
                fmt::format("invalid log level \"{}\" (debug, info, notice, warn, error, "
                            "crit, alert or emerg is wanted)",
                            word));
        }
        if (std::exchange(level, true)) {
            return Failure(fmt::format("duplicate log level \"{}\"", word));
        }
        target.level = *known;
    }
    return {};
}

}  // namespace

Outcome error_log(Entry& entry)
{
    const std::string& name = entry.argument(0);
    LogTarget target;
    if (name == "stderr" || name.empty()) {  // NGINX: a file without a name is that too
        target.kind = LogTarget::Kind::standard_error;
    } else if (name.starts_with("syslog:")) {
        if (auto read = read_syslog(target, std::string_view(name).substr(7)); !read) {
            return read;
        }
    } else if (name.starts_with("memory:")) {
        if (auto read = read_memory(entry, target, std::string_view(name).substr(7)); !read) {
            return read;
        }
    } else {
        target.path = entry.below_prefix(name);
    }
    if (auto read = read_levels(entry, target); !read) {
        return read;
    }
    auto& logs =
        entry.in_main() ? entry.field(&Settings::error_logs) : entry.field(&MailServer::error_logs);
    if (entry.first()) {
        logs.clear();
    }
    logs.push_back(std::move(target));
    return {};
}

}  // namespace postern::config
