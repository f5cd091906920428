#include "config/entry.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"

namespace postern::config {

std::string below(std::string_view directory, std::string_view path)
{
    if (path.starts_with('/')) {
        return std::string(path);
    }
    return fmt::format("{}{}{}", directory, directory.ends_with('/') ? "" : "/", path);
}

ServerDraft& Entry::server()
{
    POSTERN_ASSERT(server_ != nullptr);  // a row's `where` and its setter disagree
    return *server_;
}

bool Entry::first_of(std::initializer_list<std::string_view> names) const
{
    return std::ranges::none_of(names, [&](std::string_view name) { return used_.contains(name); });
}

std::string Entry::below_directory(std::string_view path) const
{
    const std::string& file = options().conf_path;
    return below(std::string_view(file).substr(0, file.rfind('/') + 1), path);
}

std::string Entry::below_prefix(std::string_view path) const
{
    return below(options().prefix, path);
}

void Entry::warn(std::string_view message, LogLevel level)
{
    draft_.warnings.push_back({level, Error::at(where(), message).text});
}

std::unexpected<std::string> Entry::invalid(std::string_view what, std::string_view wanted) const
{
    return std::unexpected(
        fmt::format("\"{}\" directive invalid {} ({} is wanted)", name(), what, wanted));
}

std::unexpected<std::string> Entry::invalid_word(std::string_view word, std::string_view wanted)
{
    return std::unexpected(fmt::format("invalid value \"{}\" ({} is wanted)", word, wanted));
}

}  // namespace postern::config
