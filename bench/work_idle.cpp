// Sessions that are open and do nothing, until standard input ends.
#include <fmt/format.h>

#include "bench/opening_load.h"

namespace postern::bench {

namespace {

class Idle final : public OpeningLoad
{
public:
    using OpeningLoad::OpeningLoad;

private:
    void work() override
    {
        measurement().begin();
        if (open_them()) {
            say(fmt::format("ready {}", open_count()));
            while (!input().ended() && !too_many_errors()) {
                rest();
            }
        }
        say(measurement().result());
    }
};

}  // namespace

std::unique_ptr<Load> make_idle(const LoadOptions& options)
{
    return std::make_unique<Idle>(options);
}

}  // namespace postern::bench
