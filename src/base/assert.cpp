#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace postern {

void assertion_failed(const char* condition, const char* file, int line) noexcept
{
    std::fprintf(stderr, "postern: assertion \"%s\" failed at %s:%d\n", condition, file, line);
    std::abort();
}

}  // namespace postern
