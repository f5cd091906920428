#include "base/md5.h"

#include <algorithm>
#include <bit>

#include "base/secret.h"
#include "base/text.h"

namespace postern {

namespace {

constexpr std::size_t kBlockBytes = 64;

// RFC 1321 section 3.4: 4294967296 times abs(sin(i)), the integer part.
constexpr std::array<std::uint32_t, 64> kSines = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};

// The four rotations of each round.
constexpr int kRotations[4][4] = {
    {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

std::uint32_t little_endian(const unsigned char* bytes)
{
    return static_cast<std::uint32_t>(bytes[0]) | static_cast<std::uint32_t>(bytes[1]) << 8 |
           static_cast<std::uint32_t>(bytes[2]) << 16 | static_cast<std::uint32_t>(bytes[3]) << 24;
}

std::string_view as_text(const Md5::Digest& digest)
{
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::string hex(const Md5::Digest& digest)
{
    constexpr char kHex[] = "0123456789abcdef";
    std::string text;
    text.reserve(2 * digest.size());
    for (const unsigned char byte : digest) {
        text += kHex[byte >> 4];
        text += kHex[byte & 15];
    }
    return text;
}

}  // namespace

Md5::~Md5()
{
    wipe(reinterpret_cast<char*>(block_.data()), block_.size());
    wipe(reinterpret_cast<char*>(state_.data()), sizeof state_);
}

void Md5::update(std::string_view bytes)
{
    while (!bytes.empty()) {
        const std::size_t filled = length_bytes_ % kBlockBytes;
        const std::size_t taken = std::min(bytes.size(), kBlockBytes - filled);
        std::copy_n(bytes.data(), taken, block_.data() + filled);
        length_bytes_ += taken;
        bytes.remove_prefix(taken);
        if (filled + taken == kBlockBytes) {
            transform(block_.data());
        }
    }
}

Md5::Digest Md5::finish()
{
    // RFC 1321 sections 3.1 and 3.2: a one bit, zeros, and the length in bits.
    const std::uint64_t length_bits = length_bytes_ * 8;
    static constexpr char kPadding[kBlockBytes] = {'\x80'};
    const std::size_t filled = length_bytes_ % kBlockBytes;
    update({kPadding, (filled < 56 ? 56 : 56 + kBlockBytes) - filled});
    char length[8];
    for (int i = 0; i < 8; ++i) {
        length[i] = static_cast<char>(length_bits >> 8 * i & 0xff);
    }
    update({length, sizeof length});

    Digest digest;
    for (std::size_t i = 0; i < digest.size(); ++i) {
        digest[i] = static_cast<unsigned char>(state_[i / 4] >> 8 * (i % 4) & 0xff);
    }
    return digest;
}

void Md5::transform(const unsigned char* block)
{
    auto [a, b, c, d] = state_;
    for (unsigned i = 0; i < 64; ++i) {
        std::uint32_t mixed;
        unsigned word;
        switch (i / 16) {
        case 0:
            mixed = (b & c) | (~b & d);
            word = i;
            break;
        case 1:
            mixed = (b & d) | (c & ~d);
            word = (5 * i + 1) % 16;
            break;
        case 2:
            mixed = b ^ c ^ d;
            word = (3 * i + 5) % 16;
            break;
        default:
            mixed = c ^ (b | ~d);
            word = 7 * i % 16;
            break;
        }
        const std::uint32_t sum = a + mixed + kSines[i] + little_endian(block + 4 * word);
        a = d;
        d = c;
        c = b;
        b += std::rotl(sum, kRotations[i / 16][i % 4]);
    }
    state_[0] += a;
    state_[1] += b;
    state_[2] += c;
    state_[3] += d;
}

std::string md5_hex(std::string_view text)
{
    Md5 md5;
    md5.update(text);
    return hex(md5.finish());
}

std::string hmac_md5_hex(std::string_view key, std::string_view text)
{
    std::array<char, kBlockBytes> block = {};
    if (key.size() > kBlockBytes) {
        Md5 md5;
        md5.update(key);
        const Md5::Digest digest = md5.finish();
        std::copy(digest.begin(), digest.end(), block.begin());
    } else {
        std::copy(key.begin(), key.end(), block.begin());
    }
    const std::string_view padded(block.data(), block.size());

    for (char& c : block) {
        c ^= 0x36;
    }
    Md5 inner;
    inner.update(padded);
    inner.update(text);
    for (char& c : block) {
        c ^= 0x36 ^ 0x5c;
    }
    Md5 outer;
    outer.update(padded);
    const Md5::Digest inner_digest = inner.finish();
    outer.update(as_text(inner_digest));
    wipe(block.data(), block.size());
    return hex(outer.finish());
}

bool apop_matches(std::string_view challenge, std::string_view password, std::string_view digest)
{
    Md5 md5;
    md5.update(challenge);
    md5.update(password);
    return equal_in_constant_time(hex(md5.finish()), to_lower(digest));
}

bool cram_md5_matches(std::string_view challenge, std::string_view password,
                      std::string_view digest)
{
    return equal_in_constant_time(hmac_md5_hex(password, challenge), to_lower(digest));
}

}  // namespace postern
