#include "base/units.h"

#include <algorithm>
#include <limits>

#include "base/text.h"

namespace postern {

namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();

// From large to small, in the order in which components may follow each other.
enum class Step : unsigned char {
    start,
    year,
    month,
    week,
    day,
    hour,
    minute,
    second,
    milli,
    last
};

struct Unit {
    Step step;
    std::uint64_t seconds;  // in one; of a millisecond: 0
};

// Takes the unit's letters off the text. A space stands for seconds, and nothing may follow it but
// a bare number.
std::optional<Unit> take_unit(std::string_view& text)
{
    const char letter = text.front();
    text.remove_prefix(1);
    switch (letter) {
    case 'y':
        return Unit{Step::year, 365 * 86400};
    case 'M':
        return Unit{Step::month, 30 * 86400};
    case 'w':
        return Unit{Step::week, 7 * 86400};
    case 'd':
        return Unit{Step::day, 86400};
    case 'h':
        return Unit{Step::hour, 3600};
    case 'm':
        if (text.starts_with('s')) {
            text.remove_prefix(1);
            return Unit{Step::milli, 0};
        }
        return Unit{Step::minute, 60};
    case 's':
        return Unit{Step::second, 1};
    case ' ':
        return Unit{Step::last, 1};
    default:
        return std::nullopt;
    }
}

// May this unit follow what was read so far?
bool may_follow(Step unit, Step before)
{
    return unit == Step::last ? before < Step::second : unit > before;
}

// total += value * scale; false on overflow.
bool add(std::uint64_t& total, std::uint64_t value, std::uint64_t scale)
{
    if (value > kMax / scale || total > kMax - value * scale) {
        return false;
    }
    total += value * scale;
    return true;
}

// `ticks` is how many of the result's units make a second: 1 or 1000.
std::optional<std::int64_t> parse_time(std::string_view text, std::uint64_t ticks)
{
    Step step = ticks == 1 ? Step::start : Step::month;
    std::uint64_t total = 0;
    std::uint64_t value = 0;
    bool any_digit = false;
    while (!text.empty()) {
        if (is_digit(text.front())) {
            const auto digit = static_cast<std::uint64_t>(text.front() - '0');
            if (value > (kMax - digit) / 10) {
                return std::nullopt;
            }
            value = value * 10 + digit;
            any_digit = true;
            text.remove_prefix(1);
            continue;
        }
        const auto unit = take_unit(text);
        if (!unit || !may_follow(unit->step, step) || (unit->step == Step::milli && ticks == 1) ||
            !add(total, value, unit->step == Step::milli ? 1 : unit->seconds * ticks)) {
            return std::nullopt;
        }
        step = unit->step;
        value = 0;
        text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    }
    if (!any_digit || !add(total, value, ticks)) {
        return std::nullopt;
    }
    return static_cast<std::int64_t>(total);
}

std::optional<std::uint64_t> parse_scaled(std::string_view text, std::string_view suffixes)
{
    std::uint64_t scale = 1;
    if (!text.empty()) {
        const auto power = suffixes.find(to_lower(text.back()));
        if (power != std::string_view::npos) {
            scale = std::uint64_t{1024} << (10 * power);
            text.remove_suffix(1);
        }
    }
    const auto value = parse_number<std::uint64_t>(text);
    if (!value || *value > kMax / scale) {
        return std::nullopt;
    }
    return *value * scale;
}

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text)
{
    return parse_scaled(text, "km");
}

std::optional<std::uint64_t> parse_offset(std::string_view text)
{
    return parse_scaled(text, "kmg");
}

std::optional<std::chrono::milliseconds> parse_milliseconds(std::string_view text)
{
    const auto value = parse_time(text, 1000);
    return value ? std::optional(std::chrono::milliseconds(*value)) : std::nullopt;
}

std::optional<std::chrono::seconds> parse_seconds(std::string_view text)
{
    const auto value = parse_time(text, 1);
    return value ? std::optional(std::chrono::seconds(*value)) : std::nullopt;
}

}  // namespace postern
