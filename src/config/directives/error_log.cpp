#include "config/directives/error_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

#include "base/text.h"
#include "base/units.h"
#include "config/directives/syslog.h"

namespace postern::config {

namespace {

using Failure = std::unexpected<std::string>;

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
    } else if (is_syslog(name)) {
        if (auto read = read_syslog(target, name); !read) {
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
