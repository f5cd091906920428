#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "base/secret.h"

namespace postern::protocol {

struct Credentials {
    std::string_view login;
    const Secret& password;  // empty: there is none
};

// What a server has said, for a log line: in quotes and escaped. Some servers repeat what they
// don't understand: if that is one of these passwords, as it is or as SASL's PLAIN has it, their
// words are not shown.
std::string foreign_words(std::string_view words, std::initializer_list<Credentials> hidden);

}  // namespace postern::protocol
