#include "bench/standard_input.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
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
        lines_ +=
            static_cast<std::uint64_t>(std::count(text, text + std::max<ssize_t>(count, 0), '\n'));
    }
}

bool StandardInput::take_line()
{
    if (lines_ == 0) {
        return false;
    }
    --lines_;
    return true;
}

}  // namespace postern::bench
