#pragma once

#include <atomic>
#include <cstdint>

namespace postern::process {

// A counter in memory that a worker shares with its master: goes on for as long as all of the
// worker's event loops do.
class Heartbeat
{
public:
    Heartbeat();
    ~Heartbeat();
    Heartbeat(const Heartbeat&) = delete;
    Heartbeat& operator=(const Heartbeat&) = delete;

    void beat();
    // Has it beaten since this was asked last?
    bool is_alive();

private:
    std::atomic<std::uint32_t>* count_;  // null: the system has no such memory
    std::uint32_t seen_ = 0;
};

}  // namespace postern::process
