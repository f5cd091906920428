#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postern {

// RFC 4648 section 4, with padding.
std::string base64_encode(std::string_view bytes);

// As NGINX reads it: the text ends at the first "=", missing padding is accepted; any other byte
// outside the alphabet, or a length that no encoder makes, yields nothing.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace postern
