// For tests: does allocated memory hold what should have been wiped?
#pragma once

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "tls/hkdf.h"

namespace postern::tls {

// Octets, masked, so that what is looked for is not there for our sake.
class Hidden
{
public:
    explicit Hidden(std::span<unsigned char> octets)
    {
        for (unsigned char& octet : octets) {
            masked_.push_back(octet ^ kMask);
            octet = 0;
        }
    }
    // How often they are on the heap: as they are, and as numbers of 32 bits, in which SHA-2 has
    // its state.
    std::size_t count_on_heap() const
    {
        std::ifstream maps("/proc/self/maps");
        std::size_t count = 0;
        for (std::string line; std::getline(maps, line);) {
            if (line.ends_with("[heap]")) {
                const std::size_t dash = line.find('-');
                const auto begin = std::stoull(line.substr(0, dash), nullptr, 16);
                const auto end = std::stoull(line.substr(dash + 1), nullptr, 16);
                count += count_in({reinterpret_cast<const unsigned char*>(begin), end - begin});
            }
        }
        return count;
    }

private:
    static constexpr unsigned char kMask = 0xa5;

    std::size_t count_in(Octets memory) const
    {
        std::size_t count = 0;
        for (std::size_t at = 0; at + masked_.size() <= memory.size(); ++at) {
            count += is_at(memory.data() + at, 0) || is_at(memory.data() + at, 3) ? 1 : 0;
        }
        return count;
    }
    bool is_at(const unsigned char* place, std::size_t turned) const
    {
        for (std::size_t i = 0; i < masked_.size(); ++i) {
            if (place[i ^ turned] != (masked_[i] ^ kMask)) {
                return false;
            }
        }
        return true;
    }

    std::vector<unsigned char> masked_;
};

// False under a sanitizer, whose allocations are elsewhere: nothing is found there then.
inline bool is_heap_in_sight()
{
    std::vector<unsigned char> octets;
    for (unsigned char i = 0; i < 64; ++i) {
        octets.push_back(i * 37 ^ 0x5b);
    }
    const std::vector<unsigned char> kept = octets;
    return Hidden(octets).count_on_heap() > 0 && !kept.empty();
}

}  // namespace postern::tls
