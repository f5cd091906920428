#include "protocol/upstream.h"

#include "base/text.h"

namespace postern::protocol {

net::Task<bool> Upstream::read_more()
{
    if (backend_.full()) {
        log_.line(LogLevel::error, "upstream sent too long response line: \"{}\"",
                  escape_for_log(unread()));
        co_return false;
    }
    co_await backend_.fill();
    co_return true;
}

std::string Upstream::unexpected_reply()
{
    const bool pass = settings_.proxy_pass_error_message;
    log_.line(pass ? LogLevel::info : LogLevel::error, "upstream sent invalid response: \"{}\"",
              escape_for_log(trim(unread(), "\r\n")));
    return std::string(pass ? unread() : internal_error_);
}

std::string Upstream::failed(std::string_view why)
{
    log_.write(LogLevel::error, why);
    return std::string(internal_error_);
}

}  // namespace postern::protocol
