#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bench/marks.h"

namespace postern::bench {

// What is to be written: some text, then so many bytes of filler, then some text. The filler is
// made of lines, the last one whole, and is never built: one piece of it is sent again and again.
// With a mark it is the stream of that mark.
class Outgoing
{
public:
    enum class Status : unsigned char { done, blocked, failed };

    // Nothing of what was there before is left then.
    void assign(std::string_view head, std::uint64_t filler_bytes = 0, std::string_view tail = {},
                std::optional<Mark> mark = {});
    bool empty() const
    {
        return head_sent_ == head_.size() && filler_left_ == 0 && tail_left() == 0;
    }
    std::uint64_t filler_left() const { return filler_left_; }

    // As much as the socket takes. After `failed`, errno says why.
    Status send(int descriptor);

    // The same by hand, for TLS: what comes next in one piece, and that so much of it is gone.
    std::string_view next() const;
    void sent(std::uint64_t bytes);

private:
    std::size_t tail_left() const { return tail_.size() - tail_sent_; }
    std::string_view filler_piece(std::uint64_t left) const;

    std::string head_;
    std::string tail_;
    std::size_t head_sent_ = 0;
    std::size_t tail_sent_ = 0;
    std::uint64_t filler_left_ = 0;
    std::uint64_t filler_bytes_ = 0;
    std::optional<Mark> mark_;
};

}  // namespace postern::bench
