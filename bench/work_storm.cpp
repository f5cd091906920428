// All sessions are lost at the same time and come again as fast as they can: at each line on
// standard input.
#include <fmt/format.h>

#include "bench/load.h"
#include "bench/standard_input.h"

namespace postern::bench {

namespace {

// At the same time, as listen queues hold 511 (NGINX's, Postern's, Dovecot's): beyond that the
// kernel drops what clients believe to be connections, and whoever waits for a greeting on one
// waits for ever, whatever proxy it is.
constexpr std::size_t kOpeners = 400;

class Storm final : public Load
{
public:
    explicit Storm(const LoadOptions& options) : Load(options), input_(poller()) {}

private:
    void work() override
    {
        if (!open_them()) {
            say(measurement().result());
            return;
        }
        say(fmt::format("ready {}", open_count()));
        set_openers(kOpeners);
        for (;;) {
            while (!input_.take_line()) {
                if (input_.ended() || too_many_errors()) {
                    return;
                }
                rest();
            }
            measure_anew();
            measurement().begin();
            close_all();
            const bool usable = open_them();
            say(measurement().result());
            if (!usable) {
                return;
            }
        }
    }

    // Until each of them is open or has failed; false if there is no use in going on.
    bool open_them()
    {
        settled_ = 0;
        open_all();
        return turn_until([this] { return settled_ == options().clients; });
    }

    void opened(Session& session) override
    {
        ++settled_;
        measurement().unit(session.since());
    }
    void on_answer(Session&) override {}
    void failed(Session&) override { ++settled_; }

    StandardInput input_;
    std::uint64_t settled_ = 0;
};

}  // namespace

std::unique_ptr<Load> make_storm(const LoadOptions& options)
{
    return std::make_unique<Storm>(options);
}

}  // namespace postern::bench
