#include "sasl/plain.h"

#include "base/base64.h"

namespace postern::sasl {

Secret plain_response(std::string_view user, std::string_view password)
{
    constexpr std::string_view kNul("\0", 1);
    const Secret message = Secret::joined({kNul, user, kNul, password});
    std::string base64 = base64_encode(message.reveal());
    return Secret::taken_from(base64);
}

}  // namespace postern::sasl
