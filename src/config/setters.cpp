#include "config/setters.h"

#include <algorithm>

namespace postern::config {

namespace {

// Is it one of the words in a list that spaces separate?
bool contains_word(std::string_view list, std::string_view word)
{
    while (!list.empty()) {
        const std::size_t length = std::min(list.find(' '), list.size());
        if (list.substr(0, length) == word) {
            return true;
        }
        list.remove_prefix(std::min(length + 1, list.size()));
    }
    return false;
}

}  // namespace

Outcome add_mechanisms(Entry& entry, Mechanisms& set, std::string_view allowed)
{
    for (const std::string& argument : entry.arguments()) {
        const std::string word = to_lower(argument);
        const auto* known = std::ranges::find(kMechanismWords, word, &MechanismWord::word);
        if (known == std::end(kMechanismWords) || !contains_word(allowed, word)) {
            return Entry::invalid_word(argument, fmt::format("one of {}", allowed));
        }
        if (set.*known->flag) {
            entry.warn(fmt::format("duplicate value \"{}\"", argument));
        }
        set.*known->flag = true;
    }
    return {};
}

}  // namespace postern::config
