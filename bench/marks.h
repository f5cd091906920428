// A stream in which each line says whose it is and where: whatever is lost, doubled, or somebody
// else's is seen by who reads it. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace postern::bench {

using Mark = std::uint32_t;

// The octets of a mark's stream from `position` on.
void write_marks(Mark mark, std::uint64_t position, std::span<char> out);

// Where the first octet is that is not the stream's, if there is one: an index of `octets`, which
// should be at `position`.
std::optional<std::size_t> find_wrong_mark(Mark mark, std::uint64_t position,
                                           std::string_view octets);

}  // namespace postern::bench
