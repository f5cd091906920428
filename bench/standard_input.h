#pragma once

#include <cstdint>

#include "bench/poller.h"

namespace postern::bench {

// Lines that somebody writes to our standard input, where only their number matters.
class StandardInput final : public Watcher
{
public:
    explicit StandardInput(Poller& poller);

    void on_ready(std::uint32_t events) override;
    // Takes one of the lines that have come.
    bool take_line();
    bool ended() const { return ended_; }

private:
    std::uint64_t lines_ = 0;
    bool ended_ = false;
};

}  // namespace postern::bench
