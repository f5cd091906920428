#include "process/heartbeat.h"

#include "tls/shared_memory.h"

namespace postern::process {

static_assert(std::atomic<std::uint32_t>::is_always_lock_free, "two processes share it");

Heartbeat::Heartbeat()
    : count_(static_cast<std::atomic<std::uint32_t>*>(tls::map_shared(sizeof *count_)))
{
}

Heartbeat::~Heartbeat()
{
    if (count_ != nullptr) {
        tls::unmap_shared(count_, sizeof *count_);
    }
}

void Heartbeat::beat()
{
    if (count_ != nullptr) {
        count_->fetch_add(1, std::memory_order_relaxed);
    }
}

bool Heartbeat::is_alive()
{
    if (count_ == nullptr) {
        return true;
    }
    const std::uint32_t count = count_->load(std::memory_order_relaxed);
    const bool alive = count != seen_;
    seen_ = count;
    return alive;
}

}  // namespace postern::process
