#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "net/stream.h"
#include "relay/pipe_pool.h"

namespace postern::relay {

// Bytes from one stream to the other, in order. Owns nothing while there is nothing to move: what
// can't be written yet waits in a buffer that lives only so long, and nothing is read meanwhile.
class Direction
{
public:
    enum class Outcome : unsigned char {
        waiting,  // for more to read, or for room to write
        busy,     // had its share of this turn; there is more
        ended,    // the source has closed, and all it said is written
        failed    // a stream is dead
    };

    // At most this many bytes before others have their turn.
    static constexpr std::size_t kTurnBytes = 1024 * 1024;

    // `ahead`: what the source has already said.
    explicit Direction(std::string ahead);

    // Always of the same two streams. `last`: the other direction has ended, and both streams are
    // closed when this one does.
    Outcome pump(net::Stream& source, net::Stream& sink, bool last = false);

    std::uint64_t bytes() const { return bytes_; }  // written to the sink so far
    bool ended() const { return ended_; }
    // What ended it: true if the source's end is dead, false if the sink's.
    bool source_failed() const { return source_failed_; }

private:
    enum class Step : unsigned char { moved, blocked, ended, failed };

    // What was read and is not written, and a pipe while a bulk transfer runs.
    struct Held {
        std::string bytes;
        Pipe pipe;
        std::uint32_t piped = 0;  // bytes in the pipe
    };

    Step copy(net::Stream& source, net::Stream& sink);
    Step splice(net::Stream& source, net::Stream& sink);
    Step flush(net::Stream& sink);
    void give_pipe_back();

    std::unique_ptr<Held> held_;
    std::uint64_t bytes_ = 0;
    std::uint8_t full_reads_ = 0;  // in a row: a sign of bulk
    bool source_closed_ = false;
    bool source_failed_ = false;
    bool ended_ = false;
};

}  // namespace postern::relay
