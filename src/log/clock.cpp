#include "log/clock.h"

#include <fmt/format.h>

#include <ctime>
#include <string>

namespace postern::log {

namespace {

constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct Second {
    std::time_t time = -1;
    std::string log;
    std::string syslog;
};

const Second& this_second()
{
    thread_local Second second;
    const std::time_t now = std::time(nullptr);
    if (now != second.time) {
        std::tm local{};
        ::localtime_r(&now, &local);
        const auto clock =
            fmt::format("{:02}:{:02}:{:02}", local.tm_hour, local.tm_min, local.tm_sec);
        second.log = fmt::format("{:04}/{:02}/{:02} {}", local.tm_year + 1900, local.tm_mon + 1,
                                 local.tm_mday, clock);
        second.syslog = fmt::format("{} {:2} {}", kMonths[local.tm_mon], local.tm_mday, clock);
        second.time = now;
    }
    return second;
}

}  // namespace

std::string_view log_time()
{
    return this_second().log;
}

std::string_view syslog_time()
{
    return this_second().syslog;
}

}  // namespace postern::log
