#include "config/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>

namespace postern::config {

namespace {
constexpr std::size_t kMessageBytesMax = 1024;  // NGINX: what is longer is cut
}

Error Error::at(const Location& where, std::string_view message)
{
    return {fmt::format("{} in {}", message.substr(0, kMessageBytesMax), where.text())};
}

void warn_once(std::vector<Warning>& warnings, std::string text)
{
    if (std::ranges::find(warnings, text, &Warning::text) == warnings.end()) {
        warnings.push_back({LogLevel::warn, std::move(text)});
    }
}

std::string_view shown_name(std::string_view name)
{
    return name.starts_with("data:") ? "data:..." : name;
}

std::string system_error(int code)
{
    return fmt::format(" ({}: {})", code, std::generic_category().message(code));
}

}  // namespace postern::config
