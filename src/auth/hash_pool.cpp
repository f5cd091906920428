#include "auth/hash_pool.h"

#include <csignal>
#include <exception>
#include <new>

namespace postern::auth {

HashPool::HashPool(unsigned threads, std::size_t max_queued)
    : thread_count_(threads), max_queued_(max_queued)
{
}

HashPool::~HashPool()
{
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) {
        thread.join();
    }
}

bool HashPool::submit(Work work)
{
    {
        const std::lock_guard lock(mutex_);
        if (stopping_ || queue_.size() >= max_queued_) {
            return false;
        }
        start_threads();
        if (threads_.empty()) {
            return false;
        }
        queue_.push_back(std::move(work));
    }
    wake_.notify_one();
    return true;
}

// As many as the system lets us have; those that are missing are tried again with the next work.
void HashPool::start_threads()
{
    if (threads_.size() == thread_count_) {
        return;
    }
    // Signals are for the threads that wait for them.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
        while (threads_.size() < thread_count_) {
            threads_.emplace_back([this] { run(); });
        }
    } catch (const std::exception&) {
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void HashPool::run()
{
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        if (stopping_) {
            return;
        }
        Work work = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        try {
            work();
        } catch (const std::bad_alloc&) {  // whoever waits for it gives up
        }
        work = nullptr;
        lock.lock();
    }
}

PoolClient::~PoolClient()
{
    const std::lock_guard lock(home_->mutex);
    home_->loop = nullptr;
}

void PoolClient::Home::post(HashPool::Work work)
{
    const std::lock_guard lock(mutex);
    if (loop != nullptr) {
        loop->post(std::move(work));
    }
}

}  // namespace postern::auth
