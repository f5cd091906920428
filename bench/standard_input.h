#pragma once

#include <optional>
#include <string>

#include "bench/poller.h"

namespace postern::bench {

// Lines that somebody writes to our standard input.
class StandardInput final : public Watcher
{
public:
    explicit StandardInput(Poller& poller);

    void on_ready(std::uint32_t events) override;
    // Takes one of the lines that have come, without its end.
    std::optional<std::string> take_line();
    bool ended() const { return ended_; }

private:
    std::string text_;
    bool ended_ = false;
};

}  // namespace postern::bench
