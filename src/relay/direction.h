#pragma once

#include <cstdint>
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
    Direction(net::Stream& source, net::Stream& sink, std::string ahead)
        : source_(source), sink_(sink), pending_(std::move(ahead))
    {
    }

    // `last`: the other direction has ended, and both streams are closed when this one does.
    Outcome pump(bool last = false);

    std::uint64_t bytes() const { return bytes_; }  // written to the sink so far
    bool ended() const { return ended_; }
    // What ended it: true if the source's end is dead, false if the sink's.
    bool source_failed() const { return source_failed_; }

private:
    enum class Step : unsigned char { moved, blocked, ended, failed };

    Step copy();
    Step splice();
    Step flush();
    void give_pipe_back();

    net::Stream& source_;
    net::Stream& sink_;
    std::string pending_;  // read, not written
    std::uint64_t bytes_ = 0;
    Pipe pipe_;
    std::uint32_t piped_ = 0;      // bytes in the pipe
    std::uint8_t full_reads_ = 0;  // in a row: a sign of bulk
    bool source_closed_ = false;
    bool source_failed_ = false;
    bool ended_ = false;
};

}  // namespace postern::relay
