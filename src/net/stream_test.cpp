#include "net/stream.h"

#include <fcntl.h>

#include <cerrno>

#include "net/testing.h"

namespace postern::net {
namespace {

using namespace std::chrono_literals;
using Status = Io::Status;

class StreamTest : public testing::Test
{
protected:
    StreamTest() { deadline_.set(10s); }

    static Task<> wait_for_event(Stream& stream, Deadline& deadline, bool& in_time)
    {
        StreamEvent event(stream, deadline);
        in_time = co_await event;
    }
    // False: the deadline passed.
    bool event()
    {
        bool in_time = false;
        run_to_the_end(loop_, wait_for_event(*pair_.stream, deadline_, in_time));
        return in_time;
    }
    // Tries, and waits as long as it would block.
    Io read(std::size_t space = 100)
    {
        std::string text(space, '\0');
        Io io = pair_.stream->read(text);
        while (io.status == Status::would_block && event()) {
            io = pair_.stream->read(text);
        }
        last_ = text.substr(0, io.bytes);
        return io;
    }
    void reset()
    {
        const linger hard{1, 0};
        setsockopt(pair_.peer, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        pair_.close_peer();
    }

    Loop loop_;
    Connected pair_ = connected(loop_);
    Deadline deadline_{loop_};
    std::string last_;
};

TEST_F(StreamTest, WhatFillsTheSpaceExactlyMayHaveMoreBehindIt)
{
    pair_.say("abcdef");
    EXPECT_EQ(read(3).bytes, 3u);
    EXPECT_EQ(last_, "abc");
    EXPECT_EQ(read(3).bytes, 3u);
    EXPECT_EQ(last_, "def");
    char byte;
    EXPECT_EQ(pair_.stream->read({&byte, 1}).status, Status::would_block);
    pair_.say("g");
    EXPECT_EQ(read().bytes, 1u);
}

TEST_F(StreamTest, AfterAShortReadNewBytesWakeAgain)
{
    for (const char* text : {"one", "two", "three"}) {
        pair_.say(text);
        EXPECT_EQ(read().status, Status::done);
        EXPECT_EQ(last_, text);
    }
}

TEST_F(StreamTest, TheEndThatCameWithTheLastBytesIsNotMissed)
{
    pair_.say("last words");
    pair_.close_peer();
    EXPECT_EQ(read().bytes, 10u);
    EXPECT_TRUE(pair_.stream->hung_up());
    EXPECT_EQ(read().status, Status::closed);
    EXPECT_EQ(read().status, Status::closed);
}

TEST_F(StreamTest, TheEndThatCameBetweenTheEventAndTheReadIsNotMissed)
{
    pair_.say("last words");
    ASSERT_TRUE(event());
    pair_.close_peer();
    EXPECT_EQ(read().bytes, 10u);
    EXPECT_EQ(read().status, Status::closed);
}

TEST_F(StreamTest, AHalfClosedPeerStillHears)
{
    pair_.say("question");
    ::shutdown(pair_.peer, SHUT_WR);
    EXPECT_EQ(read().bytes, 8u);
    EXPECT_EQ(read().status, Status::closed);
    EXPECT_EQ(pair_.stream->write("answer").bytes, 6u);
    pair_.stream->shutdown_write();
    EXPECT_EQ(pair_.heard(), "answer");
    EXPECT_TRUE(pair_.peer_sees_the_end());
}

TEST_F(StreamTest, AResetIsAnErrorAndNotTheEnd)
{
    reset();
    const Io io = read();
    EXPECT_EQ(io.status, Status::failed);
    EXPECT_EQ(io.error, ECONNRESET);
    EXPECT_EQ(pair_.stream->write("x").status, Status::failed);
}

TEST_F(StreamTest, AFullSocketBlocksUntilThePeerReads)
{
    const std::string part(64 * 1024, 'x');
    std::size_t written = 0;
    Io io;
    while ((io = pair_.stream->write(part)).status == Status::done) {
        written += io.bytes;
    }
    ASSERT_EQ(io.status, Status::would_block);
    std::size_t heard = 0;
    const auto drain = [](Loop& loop, const Connected& pair, std::size_t& bytes,
                          std::size_t all) -> Task<> {
        while (bytes < all) {
            bytes += pair.heard().size();
            co_await loop.next_turn();
        }
    };
    run_to_the_end(loop_, drain(loop_, pair_, heard, written));
    EXPECT_EQ(heard, written);
    while ((io = pair_.stream->write("x")).status == Status::would_block) {
        ASSERT_TRUE(event());
    }
    EXPECT_EQ(io.bytes, 1u);
}

TEST_F(StreamTest, SpliceIsNotDrainedByAFullPipe)
{
    int pipe[2];
    ASSERT_EQ(::pipe2(pipe, O_NONBLOCK | O_CLOEXEC), 0);
    pair_.say("abcdef");
    ASSERT_TRUE(event());
    Io io = pair_.stream->splice_to(pipe[1], 4);
    while (io.status == Status::would_block && event()) {
        io = pair_.stream->splice_to(pipe[1], 4);
    }
    EXPECT_EQ(io.bytes, 4u);
    EXPECT_EQ(pair_.stream->splice_to(pipe[1], 4).bytes, 2u);
    EXPECT_EQ(pair_.stream->splice_to(pipe[1], 4).status, Status::would_block);
    EXPECT_EQ(pair_.stream->splice_from(pipe[0], 6).bytes, 6u);
    EXPECT_EQ(pair_.heard(), "abcdef");
    pair_.close_peer();
    while ((io = pair_.stream->splice_to(pipe[1], 4)).status == Status::would_block) {
        ASSERT_TRUE(event());
    }
    EXPECT_EQ(io.status, Status::closed);
    ::close(pipe[0]);
    ::close(pipe[1]);
}

// Having room is the usual state of a socket, and no news.
TEST_F(StreamTest, RoomIsToldOfOnlyToWhoeverHadNone)
{
    deadline_.set(5ms);
    EXPECT_FALSE(event());
    deadline_.set(10s);
    const std::string text(256 * 1024, 'x');
    std::size_t written = 0;
    const auto fill = [&] {
        for (;;) {
            const Io io = pair_.stream->write(text);
            if (io.status != Status::done) {
                return io.status;
            }
            written += io.bytes;
        }
    };
    for (int round = 0; round < 3; ++round) {
        ASSERT_EQ(fill(), Status::would_block);
        std::size_t heard = 0;
        while (heard < written) {
            const std::string part = pair_.heard(1024 * 1024);
            if (part.empty()) {
                ASSERT_TRUE(event());
                ASSERT_NE(fill(), Status::failed);
            }
            heard += part.size();
        }
        written = 0;
        ASSERT_TRUE(event());
    }
    EXPECT_EQ(pair_.stream->write("x").bytes, 1u);
}

TEST_F(StreamTest, ADeadlineThatHasPassedEndsEveryWait)
{
    deadline_.set(5ms);
    EXPECT_FALSE(event());
    EXPECT_FALSE(event());
    deadline_.set(10s);
    pair_.say("x");
    EXPECT_TRUE(event());
}

TEST_F(StreamTest, ConnectionsAreCounted)
{
    loop_.set_connection_limit(2);
    EXPECT_FALSE(loop_.full());
    {
        const Connected second = connected(loop_);
        EXPECT_TRUE(loop_.full());
    }
    EXPECT_FALSE(loop_.full());
}

TEST_F(StreamTest, AStreamThatIsDestroyedClosesItsDescriptor)
{
    pair_.stream.reset();
    EXPECT_TRUE(pair_.peer_sees_the_end());
}

}  // namespace
}  // namespace postern::net
