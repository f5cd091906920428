#include "bench/outgoing.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace postern::bench {

namespace {

constexpr std::uint64_t kLineBytes = 64;
constexpr std::uint64_t kFillerBytes = 64 * 1024;  // stays in a processor's cache
constexpr std::size_t kPieces = 16;                // of a single call

// The same line again and again, and one more than a piece has, so that a piece may begin within
// one.
const std::string& filler()
{
    static const std::string text = [] {
        std::string line;
        while (line.size() < kLineBytes - 2) {
            line.push_back(static_cast<char>('a' + line.size() % 26));
        }
        line.append("\r\n");
        std::string made;
        while (made.size() < kFillerBytes + kLineBytes) {
            made.append(line);
        }
        return made;
    }();
    return text;
}

// Such that the end of the filler is the end of a line.
std::string_view plain_piece(std::uint64_t left)
{
    const std::uint64_t begin = (kLineBytes - left % kLineBytes) % kLineBytes;
    return std::string_view(filler()).substr(begin, std::min(left, kFillerBytes));
}

}  // namespace

// There until the next piece is asked for, by whomever.
std::string_view Outgoing::filler_piece(std::uint64_t left) const
{
    if (!mark_) {
        return plain_piece(left);
    }
    static std::array<char, kFillerBytes> piece;
    const std::span<char> taken(piece.data(), std::min(left, kFillerBytes));
    write_marks(*mark_, filler_bytes_ - left, taken);
    return {taken.data(), taken.size()};
}

void Outgoing::assign(std::string_view head, std::uint64_t filler_bytes, std::string_view tail,
                      std::optional<Mark> mark)
{
    mark_ = mark;
    filler_bytes_ = filler_bytes;
    head_.assign(head);
    tail_.assign(tail);
    head_sent_ = tail_sent_ = 0;
    filler_left_ = filler_bytes;
}

std::string_view Outgoing::next() const
{
    if (head_sent_ < head_.size()) {
        return std::string_view(head_).substr(head_sent_);
    }
    return filler_left_ > 0 ? filler_piece(filler_left_)
                            : std::string_view(tail_).substr(tail_sent_);
}

void Outgoing::sent(std::uint64_t bytes)
{
    const auto of_head = std::min<std::uint64_t>(bytes, head_.size() - head_sent_);
    head_sent_ += of_head;
    const auto of_filler = std::min(bytes - of_head, filler_left_);
    filler_left_ -= of_filler;
    tail_sent_ += bytes - of_head - of_filler;
}

Outgoing::Status Outgoing::send(int descriptor)
{
    while (!empty()) {
        std::array<iovec, kPieces> pieces;
        std::size_t count = 0;
        const auto add = [&](std::string_view text) {
            if (!text.empty()) {
                pieces[count++] = {const_cast<char*>(text.data()), text.size()};
            }
        };
        add(std::string_view(head_).substr(head_sent_));
        std::uint64_t left = filler_left_;
        while (left > 0 && count < kPieces && (!mark_ || left == filler_left_)) {
            const std::string_view piece = filler_piece(left);
            add(piece);
            left -= piece.size();
        }
        if (left == 0 && count < kPieces) {
            add(std::string_view(tail_).substr(tail_sent_));
        }
        msghdr message{.msg_iov = pieces.data(), .msg_iovlen = count};
        const ssize_t result = sendmsg(descriptor, &message, MSG_NOSIGNAL);
        if (result < 0) {
            return errno == EAGAIN ? Status::blocked : Status::failed;
        }
        sent(static_cast<std::uint64_t>(result));
    }
    return Status::done;
}

}  // namespace postern::bench
