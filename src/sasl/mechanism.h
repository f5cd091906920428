// The mechanisms of RFC 4422 that a client may name in AUTH or AUTHENTICATE.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/mechanisms.h"

namespace postern::sasl {

enum class Mechanism : unsigned char { plain, login, cram_md5, external };

std::string_view to_string(Mechanism mechanism);  // "CRAM-MD5": as RFCs and log lines have it
std::optional<Mechanism> parse_mechanism(std::string_view name);  // in upper or lower case

// "AUTH MECHANISM [INITIAL-RESPONSE]"
struct Start {
    Mechanism mechanism;
    std::optional<std::string_view> initial_response;  // looks into the arguments
};

// Reads the arguments of such a command. Nothing if it has to be refused: no mechanism or one that
// we don't know, CRAM-MD5 or EXTERNAL where they are off, more arguments than the mechanism takes.
// NGINX: PLAIN and LOGIN are always accepted, whatever is configured to be offered.
std::optional<Start> parse_start(std::span<const std::string_view> arguments,
                                 const Mechanisms& enabled);

}  // namespace postern::sasl
