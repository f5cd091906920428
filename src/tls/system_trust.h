#pragma once

#include <string>
#include <vector>

namespace postern::tls {

// Directories with the certificates that the system trusts. OpenSSL opens files there only when a
// peer's certificate is verified.
std::vector<std::string> system_trust_directories();

}  // namespace postern::tls
