#include "tls/shared_memory.h"

#include <sys/mman.h>

#include <cerrno>

namespace postern::tls {

void* map_shared(std::size_t bytes)
{
    void* const memory =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return nullptr;
    }
    madvise(memory, bytes, MADV_DONTDUMP);  // keys have no place in a core file
    return memory;
}

void unmap_shared(void* memory, std::size_t bytes)
{
    munmap(memory, bytes);
}

SharedMutex::SharedMutex()
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&mutex_, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

SharedMutex::Lock::Lock(SharedMutex& mutex) : mutex_(mutex.mutex_)
{
    is_inherited_ = pthread_mutex_lock(&mutex_) == EOWNERDEAD;
    if (is_inherited_) {
        pthread_mutex_consistent(&mutex_);
    }
}

}  // namespace postern::tls
