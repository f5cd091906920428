#include "sasl/exchange.h"

#include <utility>

#include "base/base64.h"

namespace postern::sasl {

namespace {

constexpr std::string_view kUsernamePrompt = "VXNlcm5hbWU6";  // "Username:"
constexpr std::string_view kPasswordPrompt = "UGFzc3dvcmQ6";  // "Password:"
constexpr std::size_t kCramMd5DigestDigits = 32;              // RFC 2195 section 2

std::optional<Secret> decode(std::string_view base64)
{
    auto bytes = base64_decode(base64);
    if (!bytes) {
        return std::nullopt;
    }
    Secret secret(*bytes);
    wipe(bytes->data(), bytes->size());
    return secret;
}

std::string_view name(Failure::Reason reason)
{
    switch (reason) {
    case Failure::Reason::base64:
        return "base64 encoding";
    case Failure::Reason::login:
        return "login";
    case Failure::Reason::password:
        return "password";
    case Failure::Reason::digest:
        return "CRAM-MD5 hash";
    }
    std::unreachable();
}

}  // namespace

std::string Failure::log_message() const
{
    std::string message = "client sent invalid ";
    message += name(reason);
    message += " in AUTH ";
    message += to_string(mechanism);
    message += " command";
    return message;
}

Exchange::Exchange(Mechanism mechanism, std::string challenge)
    : mechanism_(mechanism), challenge_(std::move(challenge))
{
}

Step Exchange::begin(std::optional<std::string_view> initial_response)
{
    if (initial_response) {
        return receive(*initial_response);
    }
    switch (mechanism_) {
    case Mechanism::plain:
        return Prompt{};
    case Mechanism::login:
    case Mechanism::external:  // NGINX: asks for a user name, though RFC 4422 would ask nothing
        return Prompt{std::string(kUsernamePrompt)};
    case Mechanism::cram_md5:
        return Prompt{base64_encode(challenge_)};
    }
    std::unreachable();
}

Step Exchange::answer(std::string_view line)
{
    return receive(line.substr(0, line.find(' ')));
}

Step Exchange::receive(std::string_view base64)
{
    const auto message = decode(base64);
    if (!message) {
        return Failure{mechanism_, Failure::Reason::base64};
    }
    switch (mechanism_) {
    case Mechanism::plain:
        return plain(message->reveal());
    case Mechanism::login:
        return login(message->reveal());
    case Mechanism::cram_md5:
        return cram_md5(message->reveal());
    case Mechanism::external:
        return Claim{mechanism_, std::string(message->reveal()), Secret()};
    }
    std::unreachable();
}

// RFC 4616: authzid NUL authcid NUL password. NGINX: the first is ignored, the second may be empty,
// and the third is all that remains.
Step Exchange::plain(std::string_view message) const
{
    const auto first = message.find('\0');
    if (first == std::string_view::npos || first + 1 == message.size()) {
        return Failure{mechanism_, Failure::Reason::login};
    }
    const std::string_view rest = message.substr(first + 1);
    const auto second = rest.find('\0');
    if (second == std::string_view::npos) {
        return Failure{mechanism_, Failure::Reason::password};
    }
    return Claim{mechanism_, std::string(rest.substr(0, second)), Secret(rest.substr(second + 1))};
}

// No RFC has it: the user name, then the password, each asked for.
Step Exchange::login(std::string_view message)
{
    if (!user_) {
        user_ = message;
        return Prompt{std::string(kPasswordPrompt)};
    }
    return Claim{mechanism_, std::move(*user_), Secret(message)};
}

// RFC 2195 section 2: user, space, digest.
Step Exchange::cram_md5(std::string_view message) const
{
    const auto space = message.find(' ');
    if (space == std::string_view::npos || message.size() - space - 1 != kCramMd5DigestDigits) {
        return Failure{mechanism_, Failure::Reason::digest};
    }
    return Claim{mechanism_, std::string(message.substr(0, space)),
                 Secret(message.substr(space + 1))};
}

}  // namespace postern::sasl
