#pragma once

#include <string_view>

#include "base/secret.h"

namespace postern::sasl {

// The initial response of PLAIN (RFC 4616) in base64, without an authorization identity. Neither
// may hold a NUL.
Secret plain_response(std::string_view user, std::string_view password);

}  // namespace postern::sasl
