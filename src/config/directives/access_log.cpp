// "access_log" and "log_format".
#include <fmt/format.h>

#include "base/units.h"
#include "config/directives/groups.h"
#include "config/directives/syslog.h"
#include "config/setters.h"

namespace postern::config {

namespace {

using Failure = std::unexpected<std::string>;

std::optional<LogFormat::Escape> parse_escape(std::string_view word)
{
    using Escape = LogFormat::Escape;
    return word == "default" ? std::optional(Escape::standard)
           : word == "json"  ? std::optional(Escape::json)
           : word == "none"  ? std::optional(Escape::none)
                             : std::nullopt;
}

Outcome log_format(Entry& entry)
{
    constexpr std::string_view kEscape = "escape=";
    const std::string& name = entry.argument(0);
    auto& formats = entry.draft().log_formats;
    if (formats.contains(name)) {
        return Failure(fmt::format("duplicate \"log_format\" name \"{}\"", name));
    }
    auto escape = LogFormat::Escape::standard;
    std::size_t first = 1;
    if (const std::string_view word = entry.argument(1); word.starts_with(kEscape)) {
        const auto known = parse_escape(word.substr(kEscape.size()));
        if (!known) {
            return Failure(
                fmt::format("unknown log format escaping \"{}\" (default, json or none is wanted)",
                            word.substr(kEscape.size())));
        }
        escape = *known;
        ++first;
    }
    std::string text;
    for (std::size_t i = first; i < entry.arguments().size(); ++i) {
        text += entry.argument(i);
    }
    if (has_control(text)) {
        return entry.invalid("value", "text without control characters");
    }
    auto format = LogFormat::parse(text, escape);
    if (!format) {
        return Failure(format.error());
    }
    formats[name] = std::make_shared<const LogFormat>(std::move(*format));
    return {};
}

std::shared_ptr<const LogFormat> find_format(Entry& entry, const std::string& name)
{
    const auto& formats = entry.draft().log_formats;
    if (const auto written = formats.find(name); written != formats.end()) {
        return written->second;
    }
    return {std::shared_ptr<void>(), predefined_log_format(name)};
}

// "buffer=", "flush=" and "at=".
Outcome read_parameter(AccessLog& log, std::string_view word)
{
    const std::size_t equals = std::min(word.find('='), word.size());
    const std::string_view name = word.substr(0, equals);
    const std::string_view value = word.substr(std::min(equals + 1, word.size()));
    if (name == "buffer" && equals < word.size()) {
        const auto size = parse_size(value);
        if (!size || *size == 0 || *size > AccessLog::kBufferMax) {
            return Failure(fmt::format("invalid buffer size \"{}\" (1 to {} bytes are wanted)",
                                       value, AccessLog::kBufferMax));
        }
        log.buffer_bytes = *size;
        return {};
    }
    if (name == "flush" && equals < word.size()) {
        const auto time = parse_milliseconds(value);
        if (!time || time->count() == 0) {
            return Failure(fmt::format(
                "invalid flush time \"{}\" (a time such as 1s or 5m is wanted)", value));
        }
        log.flush = std::min<milliseconds>(*time, kDurationMax);
        return {};
    }
    if (word == "at=login" || word == "at=end") {
        log.at_login = word == "at=login";
        return {};
    }
    return Failure(fmt::format(
        "invalid parameter \"{}\" (buffer=SIZE, flush=TIME, at=login or at=end is wanted)", word));
}

// Lines for one place share one buffer.
Outcome check_buffer(Entry& entry, const AccessLog& log)
{
    const auto& target = log.target;
    const auto [known, is_new] = entry.draft().access_log_buffers.try_emplace(
        target.path, std::pair(log.buffer_bytes, log.flush));
    if (!is_new && known->second != std::pair(log.buffer_bytes, log.flush)) {
        return Failure(fmt::format("access_log \"{}\" already defined with conflicting parameters",
                                   target.path));
    }
    return {};
}

Outcome access_log(Entry& entry)
{
    auto& logs = entry.field(&MailServer::access_logs);
    if (entry.first()) {
        logs.clear();
    }
    const std::string& name = entry.argument(0);
    if (name == "off") {
        logs.clear();
        return entry.arguments().size() == 1
                   ? Outcome()
                   : Failure(fmt::format("invalid parameter \"{}\"", entry.argument(1)));
    }
    AccessLog log;
    log.target.level = LogLevel::info;
    if (is_syslog(name)) {
        if (auto read = read_syslog(log.target, name, &log.target.level); !read) {
            return read;
        }
    } else {
        log.target.path = entry.below_prefix(name);
    }
    const std::string format = entry.arguments().size() > 1 ? entry.argument(1) : "main";
    log.format = find_format(entry, format);
    if (!log.format) {
        return Failure(fmt::format(
            "unknown log format \"{}\" (\"log_format\" has to stand before it; main and json "
            "are there without one)",
            format));
    }
    for (std::size_t i = 2; i < entry.arguments().size(); ++i) {
        if (auto read = read_parameter(log, entry.argument(i)); !read) {
            return read;
        }
    }
    const bool is_file = log.target.kind == LogTarget::Kind::file;
    if (!is_file && (log.buffer_bytes > 0 || log.flush)) {
        return Failure(fmt::format("buffered logs cannot have syslog as target: \"{}\"", name));
    }
    if (log.flush && log.buffer_bytes == 0) {
        return Failure(fmt::format("no buffer is defined for access_log \"{}\"", name));
    }
    if (auto checked = check_buffer(entry, log); !checked) {
        return checked;
    }
    logs.push_back(std::move(log));
    return {};
}

constexpr Directive kDirectives[] = {
    {.name = "access_log",
     .where = kMail | kServer,
     .args = {1, Arity::kAny},
     .set = access_log,
     .syntax = "PATH | syslog:server=… [FORMAT [buffer=SIZE [flush=TIME]] [at=login|end]] | off",
     .default_text = "off",
     .doc = "A line for each session, when it ends or, with `at=login`, when it is logged in; "
            "as NGINX has it for other protocols. FORMAT is the name of a `log_format`; `main` "
            "and `json` are there without one, and `main` is meant if none is named. With "
            "`buffer` that much is collected before it is written, but for no longer than "
            "`flush`. The event loops never wait for the disk: a thread of its own writes the "
            "lines. With `syslog:`, `severity=` is that of the lines, else `info`. Several may "
            "be written; `off` drops them all.",
     .again = Again::adds,
     .since = Since::postern},
    {.name = "log_format",
     .where = kMail,
     .args = {2, Arity::kAny},
     .set = log_format,
     .syntax = "NAME [escape=default|json|none] STRING …",
     .default_text = "`main` and `json` are there",
     .doc = "What a line of an access log is made of: text and variables, `$name` or `${name}`, "
            "which [access-log.md](access-log.md) lists. `json` is for variables inside of JSON's "
            "quotes, whatever a user name holds; outside of quotes what is not known is `null`.",
     .again = Again::adds,
     .since = Since::postern},
};

}  // namespace

std::span<const Directive> access_log_directives()
{
    return kDirectives;
}

}  // namespace postern::config
