#include "bench/outgoing.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/descriptor.h"

namespace postern::bench {
namespace {

// All that is sent by hand.
std::string all_of(Outgoing& outgoing, std::size_t at_a_time)
{
    std::string text;
    while (!outgoing.empty()) {
        const std::string_view piece = outgoing.next().substr(0, at_a_time);
        text += piece;
        outgoing.sent(piece.size());
    }
    return text;
}

TEST(BenchOutgoing, IsEmptyAtFirst)
{
    Outgoing outgoing;
    EXPECT_TRUE(outgoing.empty());
    outgoing.assign("text");
    EXPECT_FALSE(outgoing.empty());
    EXPECT_EQ(all_of(outgoing, 3), "text");
    EXPECT_TRUE(outgoing.empty());
}

TEST(BenchOutgoing, FillsWithLines)
{
    for (const std::uint64_t bytes : {2u, 63u, 64u, 65u, 1000u, 65536u, 200'001u}) {
        Outgoing outgoing;
        outgoing.assign("<", bytes, ">");
        EXPECT_EQ(outgoing.filler_left(), bytes);
        const std::string text = all_of(outgoing, 777);
        ASSERT_EQ(text.size(), bytes + 2);
        EXPECT_EQ(text.front(), '<');
        EXPECT_TRUE(text.ends_with("\r\n>"));
        const std::string filler = text.substr(1, bytes);
        // Every line but the first has its full length.
        const std::size_t first = filler.find('\n') + 1;
        EXPECT_EQ((filler.size() - first) % 64, 0u);
        EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(filler, '\n')), (bytes + 63) / 64);
    }
}

TEST(BenchOutgoing, WritesTheSameToASocketThatIsSlow)
{
    std::array<int, 2> ends{};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0);
    const Descriptor writer(ends[0]);
    const Descriptor reader(ends[1]);

    constexpr std::uint64_t kBytes = 3'000'001;
    Outgoing by_hand;
    by_hand.assign("head", kBytes, "tail");
    const std::string wanted = all_of(by_hand, 100'000);

    Outgoing outgoing;
    outgoing.assign("head", kBytes, "tail");
    std::string seen;
    std::size_t times_blocked = 0;
    for (bool done = false; !done;) {
        const auto status = outgoing.send(writer.number());
        ASSERT_NE(status, Outgoing::Status::failed);
        done = status == Outgoing::Status::done;
        times_blocked += !done;
        std::array<char, 50'000> piece;
        for (ssize_t count; (count = read(reader.number(), piece.data(), piece.size())) > 0;) {
            seen.append(piece.data(), static_cast<std::size_t>(count));
        }
    }
    EXPECT_GT(times_blocked, 0u);
    EXPECT_TRUE(seen == wanted);
}

TEST(BenchOutgoing, MarksWhatItSends)
{
    std::array<int, 2> ends{};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0);
    const Descriptor writer(ends[0]);
    const Descriptor reader(ends[1]);
    constexpr std::uint64_t kBytes = 300'001;
    std::string marks(kBytes, '\0');
    write_marks(42, 0, marks);

    Outgoing by_hand;
    by_hand.assign("<", kBytes, ">", 42);
    EXPECT_TRUE(all_of(by_hand, 7'777) == "<" + marks + ">");

    Outgoing outgoing;
    outgoing.assign("<", kBytes, ">", 42);
    std::string seen;
    while (!outgoing.empty()) {
        ASSERT_NE(outgoing.send(writer.number()), Outgoing::Status::failed);
        std::array<char, 50'000> piece;
        for (ssize_t count; (count = read(reader.number(), piece.data(), piece.size())) > 0;) {
            seen.append(piece.data(), static_cast<std::size_t>(count));
        }
    }
    EXPECT_TRUE(seen == "<" + marks + ">");
}

TEST(BenchOutgoing, FailsIfNobodyIsThere)
{
    std::array<int, 2> ends{};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0);
    const Descriptor writer(ends[0]);
    close(ends[1]);
    Outgoing outgoing;
    outgoing.assign("text");
    EXPECT_EQ(outgoing.send(writer.number()), Outgoing::Status::failed);
}

}  // namespace
}  // namespace postern::bench
