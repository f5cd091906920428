#include "bench/opening_load.h"

namespace postern::bench {

bool OpeningLoad::open_them()
{
    settled_ = 0;
    open_all();
    return turn_until([this] { return settled_ == options().clients; });
}

void OpeningLoad::opened(Session& session)
{
    ++settled_;
    measurement().unit(session.since());
}

}  // namespace postern::bench
