#include "bench/standard_input.h"

#include <poll.h>
#include <unistd.h>

#include <system_error>

namespace postern::bench {

StandardInput::StandardInput(Poller& poller)
{
    try {
        poller.add(STDIN_FILENO, *this, EPOLLIN);
    } catch (const std::system_error& error) {
        if (error.code() != std::errc::operation_not_permitted) {
            throw;
        }
        on_ready(EPOLLIN);  // a file, or /dev/null: all that it has is there already
    }
}

void StandardInput::on_ready(std::uint32_t)
{
    // Others may read it too, so it is not made non-blocking.
    pollfd ready{.fd = STDIN_FILENO, .events = POLLIN};
    while (!ended_ && poll(&ready, 1, 0) > 0) {
        char text[512];
        const ssize_t count = read(STDIN_FILENO, text, sizeof text);
        ended_ = count <= 0;
        text_.append(text, ended_ ? 0 : static_cast<std::size_t>(count));
    }
}

std::optional<std::string> StandardInput::take_line()
{
    const std::size_t end = text_.find('\n');
    if (end == std::string::npos) {
        return std::nullopt;
    }
    std::string line = text_.substr(0, end);
    text_.erase(0, end + 1);
    return line;
}

}  // namespace postern::bench
