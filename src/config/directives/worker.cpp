// The worker: its event loops, and what the system grants it.
#include <unistd.h>

#include "config/directives/groups.h"
#include "config/setters.h"

namespace postern::config {

namespace {

Outcome worker_processes(Entry& entry)
{
    constexpr unsigned kWorkersMax = 1024;  // as many as NGINX can have
    if (entry.argument(0) == "auto") {
        const long processors = ::sysconf(_SC_NPROCESSORS_ONLN);
        entry.field(&Settings::worker_processes) =
            std::clamp(static_cast<unsigned>(std::max(processors, 1L)), 1U, kWorkersMax);
        return {};
    }
    const auto count = parse_number<unsigned>(entry.argument(0));
    if (!count || *count == 0 || *count > kWorkersMax) {
        return entry.invalid("value", fmt::format("auto or 1 to {}", kWorkersMax));
    }
    entry.field(&Settings::worker_processes) = *count;
    return {};
}

Outcome sandbox(Entry& entry)
{
    entry.field(&Settings::sandbox_is_written) = !entry.is_default();
    return flag<&Settings::sandbox>(entry);
}

Outcome environment(Entry& entry)
{
    const std::string& text = entry.argument(0);
    const std::size_t equals = text.find('=');
    if (text.empty() || equals == 0) {
        return entry.invalid("value", "NAME or NAME=VALUE");
    }
    entry.field(&Settings::environment)
        .emplace_back(text.substr(0, equals), equals == std::string::npos
                                                  ? std::nullopt
                                                  : std::optional(text.substr(equals + 1)));
    return {};
}

Outcome worker_rlimit_core(Entry& entry)
{
    const auto bytes = parse_offset(entry.argument(0));
    if (!bytes) {
        return entry.invalid("value", "a size such as 500m or 1g");
    }
    entry.field(&Settings::worker_rlimit_core) = *bytes;
    return {};
}

// What is beyond the system's range is the end of it, as setpriority(2) has it.
Outcome worker_priority(Entry& entry)
{
    constexpr int kHighest = -20;
    constexpr int kLowest = 19;
    std::string_view digits = entry.argument(0);
    const bool negative = digits.starts_with('-');
    if (negative || digits.starts_with('+')) {
        digits.remove_prefix(1);
    }
    const auto value = parse_number<std::uint32_t>(digits);
    if (!value) {
        return entry.invalid("number", "a number from -20 to 19");
    }
    const std::int64_t wanted = negative ? -std::int64_t{*value} : std::int64_t{*value};
    const auto priority = static_cast<int>(std::clamp<std::int64_t>(wanted, kHighest, kLowest));
    if (priority != wanted) {
        entry.warn(fmt::format("worker_priority {} is beyond -20 to 19, {} is used",
                               entry.argument(0), priority));
    }
    entry.field(&Settings::worker_priority) = priority;
    return {};
}

// "0101": the last digit is the first processor's. Spaces make it readable.
std::expected<CpuMask, std::string> parse_cpu_mask(std::string_view text)
{
    CpuMask mask;
    if (text.size() > mask.size()) {
        return std::unexpected(
            fmt::format("\"worker_cpu_affinity\" supports up to {} CPUs only", mask.size()));
    }
    std::size_t processor = 0;
    for (std::size_t i = text.size(); i-- > 0;) {
        if (text[i] == ' ') {
            continue;
        }
        if (text[i] != '0' && text[i] != '1') {
            return std::unexpected(
                fmt::format("invalid character \"{}\" in \"worker_cpu_affinity\" (0 and 1 are "
                            "wanted)",
                            text[i]));
        }
        mask.set(processor++, text[i] == '1');
    }
    return mask;
}

Outcome worker_cpu_affinity(Entry& entry)
{
    CpuAffinity affinity;
    affinity.automatic = entry.argument(0) == "auto";
    const std::size_t count = entry.arguments().size();
    if (affinity.automatic && count > 2) {
        return std::unexpected(
            "invalid number of arguments in \"worker_cpu_affinity\" directive (one mask is wanted "
            "behind auto)");
    }
    if (affinity.automatic) {
        const long processors = ::sysconf(_SC_NPROCESSORS_ONLN);
        CpuMask all;
        for (std::size_t i = 0; i < all.size() && std::cmp_less(i, processors); ++i) {
            all.set(i);
        }
        affinity.masks.push_back(all);
    }
    for (std::size_t i = affinity.automatic ? 1 : 0; i < count; ++i) {
        auto mask = parse_cpu_mask(entry.argument(i));
        if (!mask) {
            return std::unexpected(std::move(mask.error()));
        }
        affinity.masks.push_back(*mask);
    }
    entry.field(&Settings::worker_cpu_affinity) = std::move(affinity);
    return {};
}

constexpr Directive kDirectives[] = {
    {.name = "worker_processes",
     .where = kMain,
     .args = {1, 1},
     .set = worker_processes,
     .initial = "1",
     .syntax = "NUMBER | auto",
     .doc =
         "How many event loops there are, each a thread of the worker; `auto`: one a processor."},
    {.name = "worker_rlimit_nofile",
     .where = kMain,
     .args = {1, 1},
     .set = number<&Settings::worker_rlimit_nofile>,
     .syntax = "NUMBER",
     .default_text = "the system's",
     .doc = "How many files and connections the worker may have open (`RLIMIT_NOFILE`)."},
    {.name = "worker_rlimit_core",
     .where = kMain,
     .args = {1, 1},
     .set = worker_rlimit_core,
     .syntax = "SIZE",
     .default_text = "the system's; the worker's memory is in no core file",
     .doc = "How large a core file of the worker may be (`RLIMIT_CORE`), after a crash. Unless it "
            "is `0`, the system may then write the worker's memory to a file, with the passwords "
            "that were passing through, and processes of the same user may read it."},
    {.name = "worker_priority",
     .where = kMain,
     .args = {1, 1},
     .set = worker_priority,
     .initial = "0",
     .syntax = "NUMBER",
     .doc = "The worker's nice value, from `-20` (first) to `19` (last)."},
    {.name = "worker_cpu_affinity",
     .where = kMain,
     .args = {1, Arity::kAny},
     .set = worker_cpu_affinity,
     .syntax = "MASK… | auto [MASK]",
     .default_text = "any processor",
     .doc = "Which processors the event loops run on: the n-th mask is for the n-th one, the last "
            "mask for those that are left. The last digit of a mask is the first processor's. "
            "`auto`: one processor each, of those in the mask."},
    {.name = "worker_shutdown_timeout",
     .where = kMain,
     .args = {1, 1},
     .set = duration<&Settings::worker_shutdown_timeout>,
     .initial = "0",
     .syntax = "TIME",
     .doc = "How long sessions may go on after a graceful shutdown began; `0`: as long as they "
            "like."},
    {.name = "sandbox",
     .where = kMain,
     .args = {1, 1},
     .set = sandbox,
     .initial = "on",
     .syntax = "on | off",
     .doc =
         "Whether the kernel keeps the worker, however it may have been taken over, from all that "
         "it has no need to do: see [the sandbox](sandbox.md). What the kernel hasn't got is left "
         "out with a warning; where `on` is written, it is an error.",
     .since = Since::postern},
    {.name = "working_directory",
     .where = kMain,
     .args = {1, 1},
     .set = text<&Settings::working_directory>,
     .syntax = "DIRECTORY",
     .default_text = "that of the start",
     .doc = "Where the worker runs."},
    {.name = "env",
     .where = kMain,
     .args = {1, 1},
     .set = environment,
     .syntax = "NAME | NAME=VALUE",
     .default_text = "`TZ`",
     .doc = "A variable of the environment that the worker keeps, or gets. All others are dropped.",
     .again = Again::adds},
};

}  // namespace

std::span<const Directive> worker_directives()
{
    return kDirectives;
}

}  // namespace postern::config
