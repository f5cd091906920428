#pragma once

#include <cstddef>

namespace postern::net {

// Memory for coroutine frames. A login makes and drops dozens of them, of a few sizes: each thread
// keeps some of those that were dropped last, 136 KiB at most, and gives them out again, which is
// quicker than malloc.
void* allocate_frame(std::size_t bytes);
void release_frame(void* frame, std::size_t bytes) noexcept;

}  // namespace postern::net
