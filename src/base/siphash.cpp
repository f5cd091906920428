#include "base/siphash.h"

#include <sys/random.h>

#include <bit>
#include <cstddef>
#include <cstring>

#include "base/assert.h"

namespace postern {

namespace {

static_assert(std::endian::native == std::endian::little);

struct State {
    std::uint64_t v0;
    std::uint64_t v1;
    std::uint64_t v2;
    std::uint64_t v3;

    void round()
    {
        v0 += v1;
        v2 += v3;
        v1 = std::rotl(v1, 13) ^ v0;
        v3 = std::rotl(v3, 16) ^ v2;
        v0 = std::rotl(v0, 32);
        v2 += v1;
        v0 += v3;
        v1 = std::rotl(v1, 17) ^ v2;
        v3 = std::rotl(v3, 21) ^ v0;
        v2 = std::rotl(v2, 32);
    }

    void take(std::uint64_t word)
    {
        v3 ^= word;
        round();
        round();
        v0 ^= word;
    }
};

}  // namespace

SipHash::Key SipHash::random_key()
{
    Key key;
    POSTERN_ASSERT(getrandom(&key, sizeof key, 0) == sizeof key);
    return key;
}

std::uint64_t SipHash::operator()(std::string_view text) const
{
    State state{key_.first ^ 0x736f6d6570736575, key_.second ^ 0x646f72616e646f6d,
                key_.first ^ 0x6c7967656e657261, key_.second ^ 0x7465646279746573};
    std::uint64_t word = 0;
    const std::uint64_t last_byte = std::uint64_t{text.size() & 0xff} << 56;
    for (; text.size() >= sizeof word; text.remove_prefix(sizeof word)) {
        std::memcpy(&word, text.data(), sizeof word);
        state.take(word);
    }
    word = 0;
    if (!text.empty()) {
        std::memcpy(&word, text.data(), text.size());
    }
    state.take(word | last_byte);
    state.v2 ^= 0xff;
    for (int i = 0; i < 4; ++i) {
        state.round();
    }
    return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

}  // namespace postern
