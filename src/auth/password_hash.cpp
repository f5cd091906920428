#include "auth/password_hash.h"

#include <crypt.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "base/secret.h"

namespace postern::auth {

namespace {

// The hash itself, behind the last "$" (bcrypt: with its salt); in crypt(5).
struct Form {
    std::string_view prefix;
    std::size_t tail_bytes;
};
constexpr Form kForms[] = {
    {"$2a$", 53}, {"$2b$", 53}, {"$2x$", 53}, {"$2y$", 53}, {"$y$", 43},
    {"$gy$", 43}, {"$7$", 43},  {"$6$", 86},  {"$5$", 43},  {"$1$", 22},
};
constexpr std::size_t kDesBytes = 13;

// libcrypt's work space: 32 KiB with a copy of the password.
class Workspace
{
public:
    ~Workspace() { wipe(reinterpret_cast<char*>(data_.get()), sizeof(crypt_data)); }

    // The hash, or nothing. `password` without NULs.
    std::optional<std::string> hash(const std::string& password, const char* setting)
    {
        const char* const text = crypt_r(password.c_str(), setting, data_.get());
        if (text == nullptr || text[0] == '*') {
            return std::nullopt;
        }
        return text;
    }

private:
    std::unique_ptr<crypt_data> data_ = std::make_unique<crypt_data>();
};

// libcrypt wants a C string. One with a NUL inside would lose its end: "secret\0x" is not "secret".
std::optional<std::string> hash_with(std::string_view password, const char* setting)
{
    std::string copy(password);
    std::replace(copy.begin(), copy.end(), '\0', ' ');
    auto hash = Workspace().hash(copy, setting);
    wipe(copy.data(), copy.size());
    if (password.find('\0') != std::string_view::npos) {
        return std::nullopt;
    }
    return hash;
}

}  // namespace

bool is_password_hash(const std::string& text)
{
    const int salt = crypt_checksalt(text.c_str());
    if (salt != CRYPT_SALT_OK && salt != CRYPT_SALT_METHOD_LEGACY) {
        return false;
    }
    if (text[0] != '$' && text[0] != '_') {
        return text.size() == kDesBytes;
    }
    for (const auto& [prefix, tail_bytes] : kForms) {
        if (text.starts_with(prefix)) {
            return text.size() - text.rfind('$') - 1 == tail_bytes;
        }
    }
    return true;
}

bool matches_hash(std::string_view password, const std::string& hash)
{
    const auto made = hash_with(password, hash.c_str());
    return made && equal_in_constant_time(*made, hash);
}

std::string_view kind_of_hash(std::string_view hash)
{
    if (!hash.starts_with('$')) {
        return hash.substr(0, 0);
    }
    const std::size_t method_end = hash.find('$', 1);
    if (method_end == std::string_view::npos) {
        return hash;
    }
    const std::string_view method = hash.substr(0, method_end);
    const std::string_view rest = hash.substr(method_end + 1);
    // In these the cost is optional, and named.
    const bool cost_is_named = method == "$1" || method == "$5" || method == "$6";
    if (cost_is_named && !rest.starts_with("rounds=")) {
        return method;
    }
    return hash.substr(0, hash.find('$', method_end + 1));
}

std::optional<std::string> make_hash(std::string_view password, const char* prefix,
                                     unsigned long cost)
{
    const std::unique_ptr<char, decltype(&std::free)> setting(
        crypt_gensalt_ra(prefix, cost, nullptr, 0), &std::free);
    if (!setting) {
        return std::nullopt;
    }
    return hash_with(password, setting.get());
}

}  // namespace postern::auth
