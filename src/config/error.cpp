#include "config/error.h"

#include <fmt/format.h>

#include <system_error>

namespace postern::config {

namespace {
constexpr std::size_t kMessageBytesMax = 1024;  // NGINX: what is longer is cut
}

Error Error::at(const Location& where, std::string_view message)
{
    return {fmt::format("{} in {}", message.substr(0, kMessageBytesMax), where.text())};
}

std::string system_error(int code)
{
    return fmt::format(" ({}: {})", code, std::generic_category().message(code));
}

}  // namespace postern::config
