// The setters that most rows need, made for one field each: duration<&MailServer::timeout>, or for
// a field of a part: flag<&MailServer::ssl, &Ssl::session_tickets>.
#pragma once

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "base/units.h"
#include "config/entry.h"

namespace postern::config {

// Longer ones are as good as this, and can still be added to a clock's time.
inline constexpr std::chrono::days kDurationMax{100 * 365};

// Does it hold a control character? Words that go out on the wire mustn't: a line break in one
// would forge a line of the protocol.
inline bool has_control(std::string_view text)
{
    return std::ranges::any_of(
        text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

template <auto... kPath>
Outcome duration(Entry& entry)
{
    const auto value = parse_milliseconds(entry.argument(0));
    if (!value) {
        return entry.invalid("value", "a time such as 500ms, 30s or 1h30m");
    }
    entry.field(kPath...) = std::min<milliseconds>(*value, kDurationMax);
    return {};
}

// In whole seconds, with NGINX's units for those.
template <auto... kPath>
Outcome coarse_duration(Entry& entry)
{
    const auto value = parse_seconds(entry.argument(0));
    if (!value) {
        return entry.invalid("value", "a time such as 30s, 5m or 1d");
    }
    entry.field(kPath...) = std::min<seconds>(*value, kDurationMax);
    return {};
}

template <auto... kPath>
Outcome size(Entry& entry)
{
    const auto value = parse_size(entry.argument(0));
    if (!value) {
        return entry.invalid("value", "a size such as 4096, 4k or 1m");
    }
    entry.field(kPath...) = *value;
    return {};
}

template <auto... kPath>
Outcome number(Entry& entry)
{
    const auto value = parse_number<unsigned>(entry.argument(0));
    if (!value) {
        return entry.invalid("number", "a number");
    }
    entry.field(kPath...) = *value;
    return {};
}

inline std::expected<bool, std::string> parse_flag(const Entry& entry, std::string_view word)
{
    if (iequals(word, "on")) {
        return true;
    }
    if (iequals(word, "off")) {
        return false;
    }
    return std::unexpected(
        fmt::format("invalid value \"{}\" in \"{}\" directive, it must be \"on\" or \"off\"", word,
                    entry.name()));
}

template <auto... kPath>
Outcome flag(Entry& entry)
{
    const auto value = parse_flag(entry, entry.argument(0));
    if (!value) {
        return std::unexpected(value.error());
    }
    entry.field(kPath...) = *value;
    return {};
}

// One word without control characters.
template <auto... kPath>
Outcome text(Entry& entry)
{
    if (has_control(entry.argument(0))) {
        return entry.invalid("value", "text without control characters");
    }
    entry.field(kPath...) = entry.argument(0);
    return {};
}

// One of a few words, in either case.
template <typename T>
struct Choice {
    std::string_view word;
    T value;
};

template <const auto& kChoices, auto... kPath>
Outcome choice(Entry& entry)
{
    std::string wanted;
    for (const auto& [word, value] : kChoices) {
        if (iequals(word, entry.argument(0))) {
            entry.field(kPath...) = value;
            return {};
        }
        const bool last = word == std::rbegin(kChoices)->word;
        wanted += wanted.empty() ? "" : last ? " or " : ", ";
        wanted += word;
    }
    return Entry::invalid_word(entry.argument(0), wanted);
}

// Words for a capability list. They add up within a block and replace what it inherited.
template <auto... kPath>
Outcome capabilities(Entry& entry)
{
    auto& list = entry.field(kPath...);
    if (entry.first()) {
        list.clear();
    }
    for (const std::string& word : entry.arguments()) {
        if (word.empty() || has_control(word)) {
            return entry.invalid("value", "text without control characters");
        }
        list.push_back(word);
    }
    return {};
}

struct MechanismWord {
    std::string_view word;
    bool Mechanisms::* flag;
};

inline constexpr MechanismWord kMechanismWords[] = {
    {"plain", &Mechanisms::plain},       {"login", &Mechanisms::login},
    {"apop", &Mechanisms::apop},         {"cram-md5", &Mechanisms::cram_md5},
    {"external", &Mechanisms::external}, {"none", &Mechanisms::none},
};

// Adds the words to the set; `allowed` names those that the protocol has, separated by spaces.
Outcome add_mechanisms(Entry& entry, Mechanisms& set, std::string_view allowed);

template <auto kMember, const auto& kAllowed>
Outcome mechanisms(Entry& entry)
{
    auto& set = entry.field(kMember);
    if (entry.first()) {
        set = {};
    }
    return add_mechanisms(entry, set, kAllowed);
}

}  // namespace postern::config
