#include "log/clock.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <utility>

namespace postern::log {

namespace {

constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// In place: a line is written also when there is no memory left.
struct Text {
    char bytes[32];
    std::size_t size;

    template <typename... Args>
    void set(fmt::format_string<Args...> format, Args&&... args)
    {
        size = fmt::format_to_n(bytes, sizeof bytes, format, std::forward<Args>(args)...).size;
        size = std::min(size, sizeof bytes);
    }
    std::string_view view() const { return {bytes, size}; }
};

struct Second {
    std::time_t time = -1;
    Text log{};
    Text syslog{};
    Text access{};
    Text iso8601{};
};

const Second& this_second()
{
    thread_local Second second;
    const std::time_t now = std::time(nullptr);
    if (now != second.time) {
        std::tm local{};
        ::localtime_r(&now, &local);
        second.log.set("{:04}/{:02}/{:02} {:02}:{:02}:{:02}", local.tm_year + 1900,
                       local.tm_mon + 1, local.tm_mday, local.tm_hour, local.tm_min, local.tm_sec);
        second.syslog.set("{} {:2} {:02}:{:02}:{:02}", kMonths[local.tm_mon], local.tm_mday,
                          local.tm_hour, local.tm_min, local.tm_sec);
        const long minutes = std::labs(local.tm_gmtoff) / 60;
        const char sign = local.tm_gmtoff < 0 ? '-' : '+';
        second.access.set("{:02}/{}/{:04}:{:02}:{:02}:{:02} {}{:02}{:02}", local.tm_mday,
                          kMonths[local.tm_mon], local.tm_year + 1900, local.tm_hour, local.tm_min,
                          local.tm_sec, sign, minutes / 60, minutes % 60);
        second.iso8601.set("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}{:02}:{:02}", local.tm_year + 1900,
                           local.tm_mon + 1, local.tm_mday, local.tm_hour, local.tm_min,
                           local.tm_sec, sign, minutes / 60, minutes % 60);
        second.time = now;
    }
    return second;
}

}  // namespace

std::string_view log_time()
{
    return this_second().log.view();
}

std::string_view syslog_time()
{
    return this_second().syslog.view();
}

std::string_view access_time()
{
    return this_second().access.view();
}

std::string_view iso8601_time()
{
    return this_second().iso8601.view();
}

}  // namespace postern::log
