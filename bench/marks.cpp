#include "bench/marks.h"

#include <algorithm>
#include <array>

namespace postern::bench {

namespace {

// "MMMMMMMM LLLLLLLLLLLLLLLLLLLLL\r\n": the mark and the line's number, in hexadecimal.
constexpr std::size_t kLineBytes = 32;
constexpr std::size_t kMarkDigits = 8;
using Line = std::array<char, kLineBytes>;

void write_hexadecimal(std::uint64_t number, char* end, std::size_t digits)
{
    for (; digits > 0; --digits, number >>= 4) {
        *--end = "0123456789abcdef"[number & 0xf];
    }
}

Line line_of(Mark mark, std::uint64_t number)
{
    Line line;
    write_hexadecimal(mark, line.data() + kMarkDigits, kMarkDigits);
    line[kMarkDigits] = ' ';
    write_hexadecimal(number, line.data() + kLineBytes - 2, kLineBytes - 3 - kMarkDigits);
    line[kLineBytes - 2] = '\r';
    line[kLineBytes - 1] = '\n';
    return line;
}

// Calls `visit` with each piece of a line that is in [position, position + size), and its index.
template <typename Visit>
void for_each_line(Mark mark, std::uint64_t position, std::size_t size, Visit visit)
{
    for (std::size_t index = 0; index < size;) {
        const std::uint64_t at = position + index;
        const Line line = line_of(mark, at / kLineBytes);
        const std::size_t begin = at % kLineBytes;
        const std::size_t taken = std::min(kLineBytes - begin, size - index);
        if (!visit(std::string_view(line.data() + begin, taken), index)) {
            return;
        }
        index += taken;
    }
}

}  // namespace

void write_marks(Mark mark, std::uint64_t position, std::span<char> out)
{
    for_each_line(mark, position, out.size(), [out](std::string_view piece, std::size_t index) {
        std::ranges::copy(piece, out.data() + index);
        return true;
    });
}

std::optional<std::size_t> find_wrong_mark(Mark mark, std::uint64_t position,
                                           std::string_view octets)
{
    std::optional<std::size_t> wrong;
    for_each_line(mark, position, octets.size(), [&](std::string_view piece, std::size_t index) {
        if (octets.substr(index, piece.size()) == piece) {
            return true;
        }
        wrong = index;
        while (octets[*wrong] == piece[*wrong - index]) {
            ++*wrong;
        }
        return false;
    });
    return wrong;
}

}  // namespace postern::bench
