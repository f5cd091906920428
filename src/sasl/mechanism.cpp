#include "sasl/mechanism.h"

#include <utility>

#include "base/text.h"

namespace postern::sasl {

namespace {

bool is_enabled(Mechanism mechanism, const Mechanisms& enabled)
{
    switch (mechanism) {
    case Mechanism::plain:
    case Mechanism::login:
        return true;
    case Mechanism::cram_md5:
        return enabled.cram_md5;
    case Mechanism::external:
        return enabled.external;
    }
    std::unreachable();
}

}  // namespace

std::string_view to_string(Mechanism mechanism)
{
    switch (mechanism) {
    case Mechanism::plain:
        return "PLAIN";
    case Mechanism::login:
        return "LOGIN";
    case Mechanism::cram_md5:
        return "CRAM-MD5";
    case Mechanism::external:
        return "EXTERNAL";
    }
    std::unreachable();
}

std::optional<Mechanism> parse_mechanism(std::string_view name)
{
    for (const auto mechanism :
         {Mechanism::plain, Mechanism::login, Mechanism::cram_md5, Mechanism::external}) {
        if (iequals(name, to_string(mechanism))) {
            return mechanism;
        }
    }
    return std::nullopt;
}

std::optional<Start> parse_start(std::span<const std::string_view> arguments,
                                 const Mechanisms& enabled)
{
    if (arguments.empty() || arguments.size() > 2) {
        return std::nullopt;
    }
    const auto mechanism = parse_mechanism(arguments[0]);
    if (!mechanism || !is_enabled(*mechanism, enabled)) {
        return std::nullopt;
    }
    if (arguments.size() == 1) {
        return Start{*mechanism, std::nullopt};
    }
    if (*mechanism == Mechanism::cram_md5) {
        return std::nullopt;  // the server speaks first (RFC 2195): there is nothing to respond to
                              // yet
    }
    return Start{*mechanism, arguments[1]};
}

}  // namespace postern::sasl
