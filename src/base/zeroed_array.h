#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <span>
#include <type_traits>

namespace postern {

// A fixed array whose elements are all zero bytes at first. Takes no memory where it was never
// touched.
template <typename T>
    requires(std::is_trivially_destructible_v<T>)
class ZeroedArray
{
public:
    explicit ZeroedArray(std::size_t size) : size_(size)
    {
        void* const pages = mmap(nullptr, size * sizeof(T), PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (pages == MAP_FAILED) {
            throw std::bad_alloc();
        }
        elements_ = static_cast<T*>(pages);
    }
    ~ZeroedArray() { munmap(elements_, size_ * sizeof(T)); }
    ZeroedArray(const ZeroedArray&) = delete;
    ZeroedArray& operator=(const ZeroedArray&) = delete;

    std::size_t size() const { return size_; }
    T& operator[](std::size_t index) const { return elements_[index]; }

private:
    T* elements_;
    std::size_t size_;
};

}  // namespace postern
