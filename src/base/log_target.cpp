#include "base/log_target.h"

#include <array>

namespace postern {

namespace {
constexpr std::array<std::string_view, 8> kNames = {"emerg", "alert",  "crit", "error",
                                                    "warn",  "notice", "info", "debug"};
}

std::string_view to_string(LogLevel level)
{
    return kNames[static_cast<unsigned char>(level)];
}

std::optional<LogLevel> parse_log_level(std::string_view word)
{
    for (unsigned char i = 0; i < kNames.size(); ++i) {
        if (kNames[i] == word) {
            return static_cast<LogLevel>(i);
        }
    }
    return std::nullopt;
}

}  // namespace postern
