#include "relay/direction.h"

#include <utility>

#include "base/text.h"

namespace postern::relay {

namespace {

// This many reads in a row that filled the whole buffer, and the transfer is bulk: splice(2) is
// worth its two calls then.
constexpr std::uint8_t kBulkReads = 2;

}  // namespace

Direction::Direction(std::string ahead)
{
    if (!ahead.empty()) {
        held_ = std::make_unique<Held>();
        held_->bytes = std::move(ahead);
    }
}

Direction::Outcome Direction::pump(net::Stream& source, net::Stream& sink, bool last)
{
    if (ended_) {
        return Outcome::ended;
    }
    const std::uint64_t turn_end = bytes_ + kTurnBytes;
    while (bytes_ < turn_end) {
        if (!sink.flushed()) {
            return Outcome::waiting;  // nothing more is read before
        }
        Step step = held_ && !held_->bytes.empty() ? flush(sink) : Step::moved;
        if (step == Step::moved) {
            if (source_closed_ && !held_) {
                if (!last) {
                    sink.shutdown_write();
                }
                ended_ = true;
                return Outcome::ended;
            }
            step = held_ ? splice(source, sink) : copy(source, sink);
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

Direction::Step Direction::copy(net::Stream& source, net::Stream& sink)
{
    const auto scratch = source.loop().scratch();
    const net::Io in = source.read(scratch);
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
    if (full_reads_ >= kBulkReads && source.can_splice() && sink.can_splice()) {
        full_reads_ = 0;
        if (Pipe pipe = PipePool::of_this_thread().take()) {
            held_ = std::make_unique<Held>();
            held_->pipe = std::move(pipe);
        }
    }
    const std::string_view text(scratch.data(), in.bytes);
    const net::Io out = sink.write(text);
    if (out.status == net::Io::Status::failed) {
        return Step::failed;
    }
    bytes_ += out.bytes;
    if (out.bytes < text.size()) {
        if (!held_) {
            held_ = std::make_unique<Held>();
        }
        held_->bytes = text.substr(out.bytes);
    }
    return Step::moved;
}

Direction::Step Direction::splice(net::Stream& source, net::Stream& sink)
{
    if (held_->piped == 0) {
        const net::Io in = source.splice_to(held_->pipe.write_end(), PipePool::kPipeBytes);
        switch (in.status) {
        case net::Io::Status::done:
            held_->piped = static_cast<std::uint32_t>(in.bytes);
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
    const net::Io out = sink.splice_from(held_->pipe.read_end(), held_->piped);
    switch (out.status) {
    case net::Io::Status::done:
        bytes_ += out.bytes;
        held_->piped -= static_cast<std::uint32_t>(out.bytes);
        return Step::moved;
    case net::Io::Status::would_block:
        return Step::blocked;
    case net::Io::Status::closed:
    case net::Io::Status::failed:
        return Step::failed;
    }
    std::unreachable();
}

Direction::Step Direction::flush(net::Stream& sink)
{
    const net::Io out = sink.write(held_->bytes);
    if (out.status == net::Io::Status::failed) {
        return Step::failed;
    }
    bytes_ += out.bytes;
    if (out.bytes < held_->bytes.size()) {
        held_->bytes.erase(0, out.bytes);
        return Step::blocked;
    }
    release(held_->bytes);
    if (!held_->pipe) {
        held_.reset();
    }
    return Step::moved;
}

// The end of a bulk transfer: the pipe is empty, and so is what was held.
void Direction::give_pipe_back()
{
    PipePool::of_this_thread().give(std::move(held_->pipe));
    held_.reset();
}

}  // namespace postern::relay
