// Memory that the master makes and its workers share.
#pragma once

#include <pthread.h>

#include <cstddef>

namespace postern::tls {

// Zeroed, and never moved; null if the system has none. To be given back with `unmap_shared`.
void* map_shared(std::size_t bytes);
void unmap_shared(void* memory, std::size_t bytes);

// A mutex in such memory. A process that dies while it holds it keeps nobody waiting.
class SharedMutex
{
public:
    SharedMutex();
    SharedMutex(const SharedMutex&) = delete;
    SharedMutex& operator=(const SharedMutex&) = delete;

    class Lock
    {
    public:
        explicit Lock(SharedMutex& mutex);
        ~Lock() { pthread_mutex_unlock(&mutex_); }
        Lock(const Lock&) = delete;
        Lock& operator=(const Lock&) = delete;

        // Its last owner died: what it protects may be half-written.
        bool is_inherited() const { return is_inherited_; }

    private:
        pthread_mutex_t& mutex_;
        bool is_inherited_;
    };

private:
    pthread_mutex_t mutex_;
};

}  // namespace postern::tls
