// MD5 (RFC 1321) and HMAC-MD5 (RFC 2104), for APOP and CRAM-MD5 alone: those two old mechanisms
// prescribe it, nothing else here may use it, and for one page of code a library of cryptography is
// a large thing to depend on. Against forgery it is broken; as a keyed digest over a challenge it
// still hides a password from a listener who can't guess it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace postern {

class Md5
{
public:
    using Digest = std::array<unsigned char, 16>;

    Md5() = default;
    Md5(const Md5&) = delete;
    Md5& operator=(const Md5&) = delete;
    ~Md5();  // wipes: passwords went through here

    void update(std::string_view bytes);
    Digest finish();  // once, after the last update

private:
    void transform(const unsigned char* block);

    std::array<std::uint32_t, 4> state_ = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    std::uint64_t length_bytes_ = 0;
    std::array<unsigned char, 64> block_ = {};
};

// The digests as the mechanisms send them: 32 lower-case hexadecimal digits.
std::string md5_hex(std::string_view text);
std::string hmac_md5_hex(std::string_view key, std::string_view text);

// What a client answered, `digest`, checked against the password, in a time that does not depend on
// where they differ. Upper-case digits are accepted too.
bool apop_matches(std::string_view challenge, std::string_view password, std::string_view digest);
bool cram_md5_matches(std::string_view challenge, std::string_view password,
                      std::string_view digest);

}  // namespace postern
