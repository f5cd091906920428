// All sessions are lost at the same time and come again as fast as they can: at each line on
// standard input.
#include <fmt/format.h>

#include "bench/opening_load.h"

namespace postern::bench {

namespace {

// At the same time, as listen queues hold 511 (NGINX's, Postern's, Dovecot's): beyond that the
// kernel drops what clients believe to be connections, and whoever waits for a greeting on one
// waits for ever, whatever proxy it is.
constexpr std::size_t kOpeners = 400;

class Storm final : public OpeningLoad
{
public:
    using OpeningLoad::OpeningLoad;

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
            while (!input().take_line()) {
                if (input().ended() || too_many_errors()) {
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
};

}  // namespace

std::unique_ptr<Load> make_storm(const LoadOptions& options)
{
    return std::make_unique<Storm>(options);
}

}  // namespace postern::bench
