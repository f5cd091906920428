#include "relay/pipe_pool.h"

#include <fcntl.h>
#include <unistd.h>

namespace postern::relay {

Pipe::~Pipe()
{
    if (read_end_ >= 0) {
        close(read_end_);
        close(write_end_);
    }
}

PipePool& PipePool::of_this_thread()
{
    static thread_local PipePool pool;
    return pool;
}

Pipe PipePool::take()
{
    if (!kept_.empty()) {
        Pipe pipe = std::move(kept_.back());
        kept_.pop_back();
        return pipe;
    }
    int ends[2];
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) {
        return {};
    }
    // Refused once an unprivileged user has many: the system's 64 KiB do as well.
    fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes);
    return {ends[0], ends[1]};
}

void PipePool::give(Pipe pipe)
{
    if (kept_.size() < kKeptMax) {
        kept_.push_back(std::move(pipe));
    }
}

}  // namespace postern::relay
