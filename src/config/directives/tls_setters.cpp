#include "config/directives/tls_setters.h"

namespace postern::config {

Written certificate_source(const Entry& entry)
{
    const std::string& text = entry.argument(0);
    const bool is_file =
        !text.starts_with("data:") && !text.starts_with("engine:") && !text.starts_with("store:");
    return {is_file && !text.empty() ? entry.below_directory(text) : text, entry.where()};
}

Outcome read_protocols(Entry& entry, SslProtocols& protocols)
{
    constexpr std::string_view kNames[] = {"SSLv2",   "SSLv3",   "TLSv1",
                                           "TLSv1.1", "TLSv1.2", "TLSv1.3"};
    auto& [list, where] = protocols;
    where = entry.where();
    if (entry.first()) {
        list.clear();
    }
    for (const std::string& word : entry.arguments()) {
        const auto* known = std::ranges::find_if(
            kNames, [&](std::string_view name) { return iequals(name, word); });
        if (known == std::end(kNames)) {
            return Entry::invalid_word(word, "TLSv1.2 or TLSv1.3, or TLSv1, TLSv1.1, SSLv2, SSLv3");
        }
        if (std::ranges::find(list, *known) != list.end()) {
            entry.warn(fmt::format("duplicate value \"{}\"", word));
            continue;
        }
        list.emplace_back(*known);
    }
    return {};
}

Outcome read_command(Entry& entry, std::vector<SslCommand>& commands)
{
    if (entry.first()) {
        commands.clear();
    }
    commands.push_back({entry.argument(0), {entry.argument(1), entry.where()}});
    return {};
}

}  // namespace postern::config
