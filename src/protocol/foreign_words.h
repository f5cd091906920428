#pragma once

#include <string>
#include <string_view>

#include "base/secret.h"

namespace postern::protocol {

// What a server has said, for a log line: in quotes and escaped. Some servers repeat what they
// don't understand: if that is a password, as it is or as SASL's PLAIN has it, their words are not
// shown.
std::string foreign_words(std::string_view words, std::string_view login, const Secret& password);

}  // namespace postern::protocol
