#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tls/openssl.h"

namespace postern::tls {

// A certificate that nobody but us vouches for, and its key: so that a server without any can be
// tried.
struct SelfSigned {
    CertificatePtr certificate;
    KeyPtr key;

    // Still good for a day at least?
    bool is_fresh() const;
};

// For these names (exact ones, "*.DOMAIN" or addresses; the first is the common name), for a year.
// Null, with OpenSSL's errors, if it can't be made.
std::shared_ptr<const SelfSigned> make_self_signed(const std::vector<std::string>& names);

}  // namespace postern::tls
