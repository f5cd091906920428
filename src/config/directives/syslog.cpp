#include "config/directives/syslog.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "base/text.h"
#include "config/url.h"

namespace postern::config {

namespace {

using Failure = std::unexpected<std::string>;

constexpr std::string_view kPrefix = "syslog:";

// RFC 5424 table 1, in the order of its codes, with NGINX's names.
constexpr std::array<std::string_view, 24> kFacilities = {
    "kern",   "user",   "mail",     "daemon", "auth",   "intern", "lpr",    "news",
    "uucp",   "clock",  "authpriv", "ftp",    "ntp",    "audit",  "alert",  "cron",
    "local0", "local1", "local2",   "local3", "local4", "local5", "local6", "local7"};

// What was read of "syslog:", so that repeated parts can be refused.
struct Syslog {
    LogTarget& target;
    LogLevel* lines;  // where "severity" goes; null: each line has its own
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

// NGINX: checked in "error_log" too, where each line has its own severity.
Outcome syslog_severity(Syslog& syslog, std::string_view value)
{
    if (std::exchange(syslog.severity, true)) {
        return duplicate("severity");
    }
    const auto level = parse_log_level(value);
    if (!level) {
        return Failure(fmt::format("unknown syslog severity \"{}\"", value));
    }
    if (syslog.lines != nullptr) {
        *syslog.lines = *level;
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

}  // namespace

bool is_syslog(std::string_view text)
{
    return text.starts_with(kPrefix);
}

Outcome read_syslog(LogTarget& target, std::string_view text, LogLevel* severity)
{
    target.kind = LogTarget::Kind::syslog;
    Syslog syslog{target, severity};
    std::string_view parts = text.substr(kPrefix.size());
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

}  // namespace postern::config
