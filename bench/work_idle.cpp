// Sessions that are open and do nothing, until standard input ends.
#include <fmt/format.h>

#include "bench/load.h"
#include "bench/standard_input.h"

namespace postern::bench {

namespace {

class Idle final : public Load
{
public:
    explicit Idle(const LoadOptions& options) : Load(options), input_(poller()) {}

private:
    void work() override
    {
        measurement().begin();
        open_all();
        if (turn_until([this] { return settled_ == options().clients; })) {
            say(fmt::format("ready {}", open_count()));
            while (!input_.ended() && !too_many_errors()) {
                rest();
            }
        }
        say(measurement().result());
    }

    void opened(Session& session) override
    {
        ++settled_;
        measurement().unit(session.since());
    }
    void on_answer(Session&) override {}
    void failed(Session&) override { ++settled_; }

    StandardInput input_;
    std::uint64_t settled_ = 0;  // opened, or failed
};

}  // namespace

std::unique_ptr<Load> make_idle(const LoadOptions& options)
{
    return std::make_unique<Idle>(options);
}

}  // namespace postern::bench
