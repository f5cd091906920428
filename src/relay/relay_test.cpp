#include "relay/relay.h"

#include <sys/ioctl.h>

#include <filesystem>

#include "net/testing.h"
#include "relay/pipe_pool.h"

namespace postern::relay {
namespace {

using namespace std::chrono_literals;
using net::Connected;
using net::Loop;
using net::Task;

class RelayTest : public testing::Test
{
protected:
    // No relay outlives its test.
    void TearDown() override
    {
        client_.close_peer();
        backend_.close_peer();
        wait_for_the_end();
    }

    static net::Detached run(Relay& relay, Result& result, bool& ended)
    {
        while (relay.pump()) {
            Relay::Pause pause = relay.pause();
            co_await pause;
        }
        result = relay.result();
        ended = true;
    }

    // Starts the relay; what follows happens while it runs.
    void start(std::chrono::milliseconds idle = 10s, std::string from_client = {},
               std::string from_backend = {})
    {
        relay_ = std::make_unique<Relay>(std::move(client_.stream), std::move(backend_.stream),
                                         idle, std::move(from_client), std::move(from_backend));
        run(*relay_, result_, ended_);
    }

    // Runs the loop until this is true.
    template <typename Condition>
    void wait_until(Condition condition)
    {
        const auto watch = [](Loop& loop, Condition& holds) -> Task<> {
            while (!holds()) {
                co_await loop.next_turn();
            }
        };
        net::run_to_the_end(again(), watch(*loop_, condition));
    }
    void wait_for_the_end()
    {
        wait_until([this] { return ended_; });
    }
    std::string hear(const Connected& side, std::size_t bytes)
    {
        std::string text;
        wait_until([&] {
            text += side.heard(bytes - text.size());
            return text.size() >= bytes;
        });
        return text;
    }

    Loop& again() { return *loop_; }

    std::unique_ptr<Loop> loop_ = std::make_unique<Loop>();
    Connected client_ = net::connected(*loop_);
    Connected backend_ = net::connected(*loop_);
    std::unique_ptr<Relay> relay_;
    Result result_;
    bool ended_ = false;
};

TEST_F(RelayTest, BothWaysAndWhatWasSaidAheadGoesFirst)
{
    client_.say("third");
    start(10s, "first second ", "welcome ");
    EXPECT_EQ(hear(backend_, 18), "first second third");
    backend_.say("friend");
    EXPECT_EQ(hear(client_, 14), "welcome friend");
    EXPECT_FALSE(ended_);
}

TEST_F(RelayTest, BytesAreCountedAndTheEndHasAReason)
{
    start(10s, "12", "");
    client_.say("345");
    backend_.say("6789");
    EXPECT_EQ(hear(backend_, 5), "12345");
    EXPECT_EQ(hear(client_, 4), "6789");
    client_.close_peer();
    wait_until([this] { return backend_.peer_sees_the_end(); });
    backend_.close_peer();
    wait_for_the_end();
    EXPECT_EQ(result_.end, End::closed_by_client);
    EXPECT_EQ(result_.bytes_from_client, 5u);
    EXPECT_EQ(result_.bytes_to_client, 4u);
}

TEST_F(RelayTest, AnswersArriveAfterTheClientHasFinishedSpeaking)
{
    start();
    client_.say("question");
    ::shutdown(client_.peer, SHUT_WR);
    EXPECT_EQ(hear(backend_, 8), "question");
    wait_until([this] { return backend_.peer_sees_the_end(); });
    EXPECT_FALSE(ended_);
    backend_.say("a late answer");
    backend_.close_peer();
    EXPECT_EQ(hear(client_, 13), "a late answer");
    wait_for_the_end();
    EXPECT_EQ(result_.end, End::closed_by_client);
}

TEST_F(RelayTest, TheBackendsLastWordsArrive)
{
    start();
    backend_.say("* BYE\r\n");
    backend_.close_peer();
    EXPECT_EQ(hear(client_, 7), "* BYE\r\n");
    wait_until([this] { return client_.peer_sees_the_end(); });
    client_.close_peer();
    wait_for_the_end();
    EXPECT_EQ(result_.end, End::closed_by_upstream);
}

TEST_F(RelayTest, AResetEndsBoth)
{
    start();
    const linger hard{1, 0};
    setsockopt(client_.peer, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    client_.close_peer();
    wait_for_the_end();
    EXPECT_EQ(result_.end, End::client_failed);
}

// Whoever still sends to a mailbox server that has refused the rest and gone hears why.
TEST_F(RelayTest, TheLastWordsOfADeadBackendArrive)
{
    start();
    client_.say("more than it wants");
    backend_.say("552 Too much\r\n");
    const linger hard{1, 0};
    setsockopt(backend_.peer, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    backend_.close_peer();
    wait_for_the_end();
    EXPECT_EQ(client_.heard(), "552 Too much\r\n");
    EXPECT_EQ(result_.end, End::upstream_failed);
    EXPECT_EQ(result_.bytes_to_client, 14u);
}

TEST_F(RelayTest, SilenceEndsIt)
{
    start(20ms);
    wait_for_the_end();
    EXPECT_EQ(result_.end, End::timed_out);
}

TEST_F(RelayTest, BytesFromEitherSideBreakTheSilence)
{
    start(60ms);
    const auto begin = net::Clock::now();
    for (int i = 0; i < 5; ++i) {
        const auto next = begin + i * 30ms;
        wait_until([&] { return net::Clock::now() >= next; });
        const Connected& side = i % 2 == 0 ? backend_ : client_;
        side.say("x");
    }
    EXPECT_FALSE(ended_);  // 120 ms after the start
    wait_for_the_end();
    EXPECT_EQ(result_.end, End::timed_out);
}

TEST_F(RelayTest, AStopOfTheLoopEndsAlsoWhoHadSomethingToMove)
{
    start();
    backend_.say("hello");
    EXPECT_EQ(hear(client_, 5), "hello");
    loop_->post([this] {
        loop_->end_idle_waits();
        loop_->stop();
    });
    client_.say("in the same turn");
    loop_->run();
    ASSERT_TRUE(ended_);
    EXPECT_EQ(result_.end, End::shut_down);
}

// Bytes that tell where they stand.
std::string pattern(std::size_t begin, std::size_t size)
{
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) {
        const std::size_t position = begin + i;
        text[i] = static_cast<char>(position ^ position >> 8 ^ position >> 16);
    }
    return text;
}

std::ptrdiff_t open_descriptors()
{
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

class BulkTest : public RelayTest, public testing::WithParamInterface<bool>
{
};

// Large enough for pipes to take over, with a reader that stops now and then.
TEST_P(BulkTest, AllArrivesInOrder)
{
    constexpr std::size_t kBytes = 24 * 1024 * 1024;
    Connected& from = GetParam() ? client_ : backend_;
    Connected& to = GetParam() ? backend_ : client_;
    start();
    std::size_t said = 0;
    std::size_t heard = 0;
    unsigned turn = 0;
    wait_until([&] {
        ++turn;
        if (said < kBytes) {
            const std::string part =
                pattern(said, std::min<std::size_t>(kBytes - said, 256 * 1024));
            const ssize_t sent = ::send(from.peer, part.data(), part.size(), MSG_DONTWAIT);
            said += sent > 0 ? static_cast<std::size_t>(sent) : 0;
        }
        if (turn % 16 != 0) {
            return false;
        }
        for (std::string text = to.heard(1 << 20); !text.empty(); text = to.heard(1 << 20)) {
            if (text != pattern(heard, text.size())) {
                ADD_FAILURE() << "other bytes after " << heard;
                return true;
            }
            heard += text.size();
        }
        return heard == kBytes;
    });
    EXPECT_EQ(heard, kBytes);
    from.close_peer();
    wait_until([&] { return to.peer_sees_the_end(); });
    to.close_peer();
    wait_for_the_end();
    EXPECT_EQ(GetParam() ? result_.bytes_from_client : result_.bytes_to_client, kBytes);
    // The pipe that it took is back, and empty.
    const auto descriptors = open_descriptors();
    const Pipe pipe = PipePool::of_this_thread().take();
    EXPECT_EQ(open_descriptors(), descriptors);
    int left = -1;
    EXPECT_EQ(::ioctl(pipe.read_end(), FIONREAD, &left), 0);
    EXPECT_EQ(left, 0);
}

INSTANTIATE_TEST_SUITE_P(Relay, BulkTest, testing::Bool());

// Whoever has had its share of a turn waits for others, and not for its peers.
TEST_F(RelayTest, OthersTurnsAreNoSilence)
{
    constexpr auto kIdle = 50ms;
    start(kIdle);
    const std::string part(256 * 1024, 'x');
    std::uint64_t moved = 0;
    unsigned turn = 0;
    unsigned full_turns = 0;
    wait_until([&] {
        while (::send(client_.peer, part.data(), part.size(), MSG_DONTWAIT) > 0) {
        }
        while (!backend_.heard(part.size()).empty()) {
        }
        const std::uint64_t before = std::exchange(moved, relay_->result().bytes_from_client);
        if (moved - before >= Direction::kTurnBytes) {
            ++full_turns;
            for (const auto begin = net::Clock::now(); net::Clock::now() < begin + 2 * kIdle;) {
            }
        }
        return ended_ || full_turns == 3 || ++turn == 10'000;
    });
    EXPECT_FALSE(ended_);
    EXPECT_EQ(full_turns, 3u);
}

TEST_F(RelayTest, NothingIsReadForASideThatDoesNotTakeIt)
{
    start();
    const std::string part(64 * 1024, 'x');
    std::size_t said = 0;
    unsigned refused = 0;
    wait_until([&] {
        const ssize_t sent = ::send(client_.peer, part.data(), part.size(), MSG_DONTWAIT);
        if (sent > 0) {
            said += static_cast<std::size_t>(sent);
            refused = 0;
        }
        return sent < 0 && ++refused == 1000;  // it takes no more, however long it is asked
    });
    // The other direction goes on.
    backend_.say("still here");
    EXPECT_EQ(hear(client_, 10), "still here");
    // What was taken is in kernel buffers, but for one pipe or one buffer.
    std::size_t heard = 0;
    wait_until([&] {
        heard += backend_.heard().size();
        return heard == said;
    });
}

TEST(PipePool, PipesComeBackEmptyAndAreUsedAgain)
{
    PipePool pool;
    Pipe first = pool.take();
    ASSERT_TRUE(first);
    const int end = first.read_end();
    pool.give(std::move(first));
    const Pipe second = pool.take();
    EXPECT_EQ(second.read_end(), end);
    const Pipe third = pool.take();
    EXPECT_NE(third.read_end(), end);
}

}  // namespace
}  // namespace postern::relay
