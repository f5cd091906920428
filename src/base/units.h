// Sizes and times as a configuration writes them: "16k", "1h 30m".
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace postern {

// Digits and an optional k or m (1024, 1048576), in either case. Nothing if it is anything else, or
// too big for 63 bits.
std::optional<std::uint64_t> parse_size(std::string_view text);

// As parse_size, and g too.
std::optional<std::uint64_t> parse_offset(std::string_view text);

// Components w d h m s ms from large to small, each at most once, spaces between them allowed; a
// bare number counts as seconds. Nothing if it is anything else, or too big for 63 bits.
std::optional<std::chrono::milliseconds> parse_milliseconds(std::string_view text);

// As parse_milliseconds, with y (365 days) and M (30 days), but without ms.
std::optional<std::chrono::seconds> parse_seconds(std::string_view text);

}  // namespace postern
