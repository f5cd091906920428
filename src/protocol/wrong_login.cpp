#include "protocol/wrong_login.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace postern::protocol {

bool is_wrong_login(std::string_view text, std::string_view smtp_code)
{
    constexpr std::array<std::string_view, 10> kOtherReasons = {
        "[UNAVAILABLE", "[SERVERBUG", "[CONTACTADMIN", "[INUSE",       "[LIMIT",
        "[EXPIRED",     "[SYS/",      "[IN-USE",       "[LOGIN-DELAY", "[PRIVACYREQUIRED"};
    const bool has_another = std::ranges::any_of(kOtherReasons, [text](std::string_view code) {
        return iequals(text.substr(0, code.size()), code);
    });
    return !has_another && !smtp_code.starts_with('4');
}

}  // namespace postern::protocol
