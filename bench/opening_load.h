#pragma once

#include "bench/load.h"
#include "bench/standard_input.h"

namespace postern::bench {

// Work that opens all its sessions, and waits for what standard input says.
class OpeningLoad : public Load
{
public:
    explicit OpeningLoad(const LoadOptions& options) : Load(options), input_(poller()) {}

protected:
    // Until each of them is open or has failed; false if there is no use in going on.
    bool open_them();
    StandardInput& input() { return input_; }

private:
    void opened(Session& session) final;
    void on_answer(Session&) final {}
    void failed(Session&) final { ++settled_; }

    StandardInput input_;
    std::uint64_t settled_ = 0;  // opened, or failed
};

}  // namespace postern::bench
