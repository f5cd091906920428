#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>
#include <string_view>

struct evp_md_st;

namespace postern::tls {

using Octets = std::span<const unsigned char>;

// The hash functions of TLS 1.3's cipher suites, looked up once a process. Null: OpenSSL has none,
// or `name` ("SHA256", "SHA2-384", ...) is another one.
const evp_md_st* hash_of_suite(std::string_view name);
std::size_t hash_bytes(const evp_md_st* hash);

// HMAC (RFC 2104), with one of those hash functions, of the parts, one after the other, into the
// first bytes of `out`, which has room for the hash. The last keys are remembered, as the next call
// is likely to come with one of them, until `forget_keys`.
void hmac(const evp_md_st* hash, Octets key, std::initializer_list<Octets> parts,
          unsigned char* out);

// Wipes what this thread remembers of keys: to be called when a handshake pauses.
void forget_keys();
bool remembers_keys();

// HKDF-Extract (RFC 5869 section 2.2); `out` has room for the hash.
void hkdf_extract(const evp_md_st* hash, Octets salt, Octets secret, unsigned char* out);

// HKDF-Expand-Label (RFC 8446 section 7.1), fills `out`. `prefix` is "tls13 ". False if a label, a
// context or the output is too long.
bool hkdf_expand_label(const evp_md_st* hash, Octets secret, Octets prefix, Octets label,
                       Octets context, std::span<unsigned char> out);

}  // namespace postern::tls
