// Hashes of passwords as libcrypt has them. They are slow by design: on a hash pool's thread only.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postern::auth {

// Has it the form of a hash that libcrypt can check? One that was cut off has not.
bool is_password_hash(const std::string& text);

bool matches_hash(std::string_view password, const std::string& hash);

// Method and cost, "$2b$10": hashes of one kind take the same time. Looks into `hash`.
std::string_view kind_of_hash(std::string_view hash);

// A new hash with fresh salt. `prefix` and `cost` as in crypt(5); 0: libcrypt's own. Nothing if
// libcrypt can't make it, as for a password that is too long.
std::optional<std::string> make_hash(std::string_view password, const char* prefix,
                                     unsigned long cost);

}  // namespace postern::auth
