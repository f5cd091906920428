#pragma once

#include "bench/load.h"

namespace postern::bench {

// Work that is done again and again, and measured for a time or so many times.
class MeasuredLoad : public Load
{
public:
    using Load::Load;

protected:
    // Everything has been done once by each client: what is measured is like what comes then.
    virtual bool is_warm() const = 0;
    // Nobody is left who could do anything.
    virtual bool is_over() const { return false; }
    // Something that began at `since` is done.
    void done(Clock::time_point since);

private:
    void work() final;
    bool has_enough() const;
};

}  // namespace postern::bench
