#pragma once

#include <utility>
#include <vector>

namespace postern::relay {

// A pipe for splice(2), empty whenever it is in the pool.
class Pipe
{
public:
    Pipe() = default;  // none
    Pipe(int read_end, int write_end) : read_end_(read_end), write_end_(write_end) {}
    Pipe(Pipe&& other) noexcept
        : read_end_(std::exchange(other.read_end_, -1)),
          write_end_(std::exchange(other.write_end_, -1))
    {
    }
    Pipe& operator=(Pipe&& other) noexcept
    {
        std::swap(read_end_, other.read_end_);
        std::swap(write_end_, other.write_end_);
        return *this;
    }
    ~Pipe();

    explicit operator bool() const { return read_end_ >= 0; }
    int read_end() const { return read_end_; }
    int write_end() const { return write_end_; }

private:
    int read_end_ = -1;
    int write_end_ = -1;
};

// The pipes of one event loop's thread. A session holds one only while a bulk transfer runs.
class PipePool
{
public:
    static constexpr int kPipeBytes = 256 * 1024;
    static constexpr std::size_t kKeptMax = 16;

    // The calling thread's.
    static PipePool& of_this_thread();

    // A pipe, or none if the system has no more.
    Pipe take();
    // Takes back an empty pipe.
    void give(Pipe pipe);

private:
    std::vector<Pipe> kept_;
};

}  // namespace postern::relay
