#include "net/attempts.h"

#include <algorithm>

namespace postern::net {

bool Attempts::next()
{
    const std::size_t untried = addresses_.size() - tried_;
    if (untried == 0 || limit_.expired()) {
        return false;
    }
    ++tried_;
    if (untried > 1) {
        share_.set(std::min<Clock::duration>(limit_.left() / untried, kPatience));
    }
    return true;
}

}  // namespace postern::net
