#include "tls/system_trust.h"

#include <openssl/x509.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace postern::tls {

std::vector<std::string> system_trust_directories()
{
    const char* const written = std::getenv(X509_get_default_cert_dir_env());
    std::string_view list = written != nullptr ? written : X509_get_default_cert_dir();
    std::vector<std::string> directories;
    while (!list.empty()) {
        const std::string_view one = list.substr(0, list.find(':'));
        list.remove_prefix(std::min(list.size(), one.size() + 1));
        if (!one.empty()) {
            directories.emplace_back(one);
        }
    }
    return directories;
}

}  // namespace postern::tls
