// What real nginx.conf files have, and Postern has no use for. Accepted with a warning, so that a
// file can be shared with NGINX; a value that NGINX would refuse is refused here too.
#include "config/directives/groups.h"
#include "config/setters.h"

namespace postern::config {

namespace {

Outcome check_flag(Entry& entry)
{
    const auto value = parse_flag(entry, entry.argument(0));
    return value ? Outcome() : std::unexpected(value.error());
}

Outcome check_number(Entry& entry)
{
    return parse_number<std::uint32_t>(entry.argument(0)) ? Outcome()
                                                          : entry.invalid("number", "a number");
}

Outcome check_time(Entry& entry)
{
    return parse_milliseconds(entry.argument(0))
               ? Outcome()
               : entry.invalid("value", "a time such as 500ms, 30s or 1h30m");
}

Outcome debug_points(Entry& entry)
{
    const std::string& word = entry.argument(0);
    return iequals(word, "stop") || iequals(word, "abort")
               ? Outcome()
               : Entry::invalid_word(word, "stop or abort");
}

// NGINX: words that are neither are not looked at.
Outcome thread_pool(Entry& entry)
{
    bool has_threads = false;
    for (std::size_t i = 1; i < entry.arguments().size(); ++i) {
        const std::string_view word = entry.argument(i);
        const std::string_view name = word.substr(0, word.find('='));
        if (name == word || (name != "threads" && name != "max_queue")) {
            continue;
        }
        const auto value = parse_number<std::uint32_t>(word.substr(name.size() + 1));
        if (!value || (name == "threads" && *value == 0)) {
            return std::unexpected(
                fmt::format("invalid {} value \"{}\" (a number is wanted)", name, word));
        }
        has_threads = has_threads || name == "threads";
    }
    if (!has_threads) {
        return std::unexpected("\"thread_pool\" must have \"threads\" parameter");
    }
    return {};
}

constexpr Directive without_effect(std::string_view name, unsigned where, std::string_view syntax,
                                   Setter check = nullptr)
{
    return {.name = name,
            .where = where,
            .args = {1, 1},
            .set = check,
            .syntax = syntax,
            .support = Support::no_effect};
}

constexpr Directive foreign(std::string_view name)
{
    return {.name = name,
            .where = kMain,
            .doc = "Skipped with a warning, so that a file can be shared with NGINX.",
            .kind = Kind::foreign};
}

constexpr std::string_view kFlag = "on | off";

constexpr Directive kDirectives[] = {
    foreign("http"),
    foreign("stream"),
    foreign("rtmp"),
    foreign("mgmt"),
    without_effect("lock_file", kMain, "FILE"),
    without_effect("timer_resolution", kMain, "TIME", check_time),
    without_effect("debug_points", kMain, "stop | abort", debug_points),
    without_effect("pcre_jit", kMain, kFlag, check_flag),
    without_effect("ssl_engine", kMain, "DEVICE"),
    without_effect("ssl_object_cache_inheritable", kMain, kFlag, check_flag),
    {.name = "thread_pool",
     .where = kMain,
     .args = {2, 3},
     .set = thread_pool,
     .syntax = "NAME threads=NUMBER [max_queue=NUMBER]",
     .again = Again::adds,
     .support = Support::no_effect},
    without_effect("quic_bpf", kMain, kFlag, check_flag),
    without_effect("google_perftools_profiles", kMain, "FILE"),
    without_effect("rtmp_auto_push", kMain, kFlag, check_flag),
    without_effect("rtmp_auto_push_reconnect", kMain, "TIME", check_time),
    without_effect("rtmp_socket_dir", kMain, "DIRECTORY"),
    without_effect("accept_mutex_delay", kEvents, "TIME", check_time),
    without_effect("worker_aio_requests", kEvents, "NUMBER", check_number),
    without_effect("epoll_events", kEvents, "NUMBER", check_number),
};

}  // namespace

std::span<const Directive> no_effect_directives()
{
    return kDirectives;
}

}  // namespace postern::config
