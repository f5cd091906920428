#include "bench/measured_load.h"

namespace postern::bench {

void MeasuredLoad::work()
{
    open_all();
    if (turn_until([this] { return is_warm() || is_over(); }) && !is_over()) {
        measurement().begin();
        say("begin");
        turn_until([this] { return has_enough() || is_over(); });
    }
    count_lost_answers();
    say(measurement().result());
}

bool MeasuredLoad::has_enough() const
{
    return options().count ? measurement().units() >= *options().count
                           : measurement().elapsed() >= options().seconds;
}

void MeasuredLoad::done(Clock::time_point since)
{
    if (!measurement().begun() || !options().count || !has_enough()) {
        measurement().unit(since);
    }
}

}  // namespace postern::bench
