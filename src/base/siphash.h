#pragma once

#include <cstdint>
#include <string_view>

namespace postern {

// SipHash-2-4 (Aumasson and Bernstein, 2012): without the key nobody can say which texts have the
// same hash, nor what a text's hash is. For tables whose keys strangers choose.
class SipHash
{
public:
    struct Key {
        std::uint64_t first = 0;
        std::uint64_t second = 0;
    };

    // A key that nobody knows.
    static Key random_key();

    explicit SipHash(Key key) : key_(key) {}

    std::uint64_t operator()(std::string_view text) const;

private:
    Key key_;
};

}  // namespace postern
