#include "relay/direction.h"

#include <utility>

namespace postern::relay {

namespace {

// This many reads in a row that filled the whole buffer, and the transfer is bulk: splice(2) is
// worth its two calls then.
constexpr std::uint8_t kBulkReads = 2;

}  // namespace

Direction::Outcome Direction::pump(bool last)
{
    if (ended_) {
        return Outcome::ended;
    }
    const std::uint64_t turn_end = bytes_ + kTurnBytes;
    while (bytes_ < turn_end) {
        if (!sink_.flushed()) {
            return Outcome::waiting;  // nothing more is read before
        }
        Step step = pending_.empty() ? Step::moved : flush();
        if (step == Step::moved) {
            if (source_closed_ && piped_ == 0) {
                if (!last) {
                    sink_.shutdown_write();
                }
                ended_ = true;
                return Outcome::ended;
            }
            step = pipe_ ? splice() : copy();
        }
        switch (step) {
        case Step::moved:
            break;
        case Step::blocked:
            return Outcome::waiting;
        case Step::ended:
            source_closed_ = true;
            break;
        case Step::failed:
            return Outcome::failed;
        }
    }
    return Outcome::busy;
}

Direction::Step Direction::copy()
{
    const auto scratch = source_.loop().scratch();
    const net::Io in = source_.read(scratch);
    switch (in.status) {
    case net::Io::Status::done:
        break;
    case net::Io::Status::would_block:
        full_reads_ = 0;
        return Step::blocked;
    case net::Io::Status::closed:
        return Step::ended;
    case net::Io::Status::failed:
        source_failed_ = true;
        return Step::failed;
    }
    full_reads_ = in.bytes == scratch.size() ? full_reads_ + 1 : 0;
    if (full_reads_ >= kBulkReads && source_.can_splice() && sink_.can_splice()) {
        full_reads_ = 0;
        pipe_ = PipePool::of_this_thread().take();
    }
    const std::string_view text(scratch.data(), in.bytes);
    const net::Io out = sink_.write(text);
    if (out.status == net::Io::Status::failed) {
        return Step::failed;
    }
    bytes_ += out.bytes;
    pending_ = text.substr(out.bytes);
    return Step::moved;
}

Direction::Step Direction::splice()
{
    if (piped_ == 0) {
        const net::Io in = source_.splice_to(pipe_.write_end(), PipePool::kPipeBytes);
        switch (in.status) {
        case net::Io::Status::done:
            piped_ = static_cast<std::uint32_t>(in.bytes);
            break;
        case net::Io::Status::would_block:
            give_pipe_back();
            return Step::blocked;
        case net::Io::Status::closed:
            give_pipe_back();
            return Step::ended;
        case net::Io::Status::failed:
            source_failed_ = true;
            return Step::failed;
        }
    }
    const net::Io out = sink_.splice_from(pipe_.read_end(), piped_);
    switch (out.status) {
    case net::Io::Status::done:
        bytes_ += out.bytes;
        piped_ -= static_cast<std::uint32_t>(out.bytes);
        return Step::moved;
    case net::Io::Status::would_block:
        return Step::blocked;
    case net::Io::Status::closed:
    case net::Io::Status::failed:
        return Step::failed;
    }
    std::unreachable();
}

Direction::Step Direction::flush()
{
    const net::Io out = sink_.write(pending_);
    if (out.status == net::Io::Status::failed) {
        return Step::failed;
    }
    bytes_ += out.bytes;
    if (out.bytes == pending_.size()) {
        pending_ = std::string();  // gives the memory back, as clear() would not
        return Step::moved;
    }
    pending_.erase(0, out.bytes);
    return Step::blocked;
}

void Direction::give_pipe_back()
{
    PipePool::of_this_thread().give(std::exchange(pipe_, Pipe()));
}

}  // namespace postern::relay
