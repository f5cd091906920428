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

// All that comes through a socket whose other end reads only when no more fits.
std::string all_through_a_socket(Outgoing& outgoing, std::size_t& times_blocked)
{
    std::array<int, 2> ends{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0);
    const Descriptor writer(ends[0]);
    const Descriptor reader(ends[1]);
    std::string seen;
    for (auto status = Outgoing::Status::blocked; status == Outgoing::Status::blocked;) {
        status = outgoing.send(writer.number());
        EXPECT_NE(status, Outgoing::Status::failed);
        times_blocked += status == Outgoing::Status::blocked;
        std::array<char, 50'000> piece;
        for (ssize_t count; (count = read(reader.number(), piece.data(), piece.size())) > 0;) {
            seen.append(piece.data(), static_cast<std::size_t>(count));
        }
    }
    return seen;
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
    constexpr std::uint64_t kBytes = 3'000'001;
    Outgoing outgoing;
    outgoing.assign("head", kBytes, "tail");
    const std::string wanted = all_of(outgoing, 100'000);
    outgoing.assign("head", kBytes, "tail");
    std::size_t times_blocked = 0;
    EXPECT_TRUE(all_through_a_socket(outgoing, times_blocked) == wanted);
    EXPECT_GT(times_blocked, 0u);
}

TEST(BenchOutgoing, MarksWhatItSends)
{
    constexpr std::uint64_t kBytes = 1'000'001;
    std::string marks(kBytes, '\0');
    write_marks(42, 0, marks);
    Outgoing outgoing;
    outgoing.assign("<", kBytes, ">", 42);
    EXPECT_TRUE(all_of(outgoing, 7'777) == "<" + marks + ">");
    outgoing.assign("<", kBytes, ">", 42);
    std::size_t times_blocked = 0;
    EXPECT_TRUE(all_through_a_socket(outgoing, times_blocked) == "<" + marks + ">");
    EXPECT_GT(times_blocked, 0u);
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
