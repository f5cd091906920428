#include "sasl/challenge.h"

#include <fmt/format.h>
#include <sys/random.h>

#include "base/assert.h"

namespace postern::sasl {

std::string format_challenge(std::uint32_t random, std::chrono::sys_seconds now,
                             std::string_view server_name)
{
    return fmt::format("<{}.{}@{}>", random, now.time_since_epoch().count(), server_name);
}

std::string make_challenge(std::string_view server_name)
{
    std::uint32_t random = 0;
    // So few bytes come whole, and neither fail nor wait once the system has started.
    POSTERN_ASSERT(::getrandom(&random, sizeof random, 0) == sizeof random);
    const auto now =
        std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
    return format_challenge(random & 0x7fffffff, now, server_name);
}

}  // namespace postern::sasl
