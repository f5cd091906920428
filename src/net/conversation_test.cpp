#include "net/conversation.h"

#include "net/testing.h"

namespace postern::net {
namespace {

using namespace std::chrono_literals;

class ConversationTest : public testing::Test
{
protected:
    ConversationTest() { deadline_.set(10s); }

    // Fills once and says how it ended: "" or the text of the disconnection.
    static Task<> fill_once(Conversation& conversation, std::string& end)
    {
        try {
            co_await conversation.fill();
        } catch (const Disconnected& disconnected) {
            end = disconnected.text();
        }
    }
    std::string fill(Conversation& conversation)
    {
        std::string end;
        run_to_the_end(loop_, fill_once(conversation, end));
        return end;
    }

    Loop loop_;
    Connected pair_ = connected(loop_);
    Deadline deadline_{loop_};
};

TEST_F(ConversationTest, KeepsWhatIsNotConsumed)
{
    Conversation talk(*pair_.stream, deadline_, 100);
    pair_.say("one two");
    EXPECT_EQ(fill(talk), "");
    EXPECT_EQ(talk.unread(), "one two");
    talk.consume(4);
    EXPECT_EQ(talk.unread(), "two");
    pair_.say(" three");
    EXPECT_EQ(fill(talk), "");
    EXPECT_EQ(talk.unread(), "two three");
}

TEST_F(ConversationTest, NeverKeepsMoreThanItsLimit)
{
    Conversation talk(*pair_.stream, deadline_, 1000);
    pair_.say(std::string(999, 'a'));
    while (talk.unread().size() < 999) {
        ASSERT_EQ(fill(talk), "");
    }
    EXPECT_FALSE(talk.full());
    pair_.say("bcd");
    fill(talk);
    ASSERT_TRUE(talk.full());
    EXPECT_EQ(talk.unread(), std::string(999, 'a') + "b");
    talk.consume(1000);
    EXPECT_FALSE(talk.full());
    fill(talk);
    EXPECT_EQ(talk.unread(), "cd");  // nothing is lost
}

TEST_F(ConversationTest, AStreamLongerThanTheLimitGoesThrough)
{
    Conversation talk(*pair_.stream, deadline_, 700);  // lines straddle the end of any buffer
    std::string all;
    for (int i = 0; i < 2000; ++i) {
        all += std::to_string(i) + " some words\n";
    }
    std::string got;
    std::size_t said = 0;
    while (got.size() < all.size()) {
        if (said < all.size()) {
            const std::string part = all.substr(said, 1500);
            pair_.say(part);
            said += part.size();
        }
        ASSERT_EQ(fill(talk), "");
        ASSERT_LE(talk.unread().size(), 700u);
        for (auto end = talk.unread().find('\n'); end != std::string_view::npos;
             end = talk.unread().find('\n')) {
            got += talk.unread().substr(0, end + 1);
            talk.consume(end + 1);
        }
    }
    EXPECT_EQ(got, all);
}

TEST_F(ConversationTest, ThePeerLeaves)
{
    Conversation talk(*pair_.stream, deadline_, 100);
    pair_.say("last words");
    pair_.close_peer();
    EXPECT_EQ(fill(talk), "");
    EXPECT_EQ(talk.unread(), "last words");
    EXPECT_EQ(fill(talk), "connection closed");
}

TEST_F(ConversationTest, ThePeerResets)
{
    Conversation talk(*pair_.stream, deadline_, 100);
    const linger hard{1, 0};
    setsockopt(pair_.peer, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    pair_.close_peer();
    EXPECT_EQ(fill(talk), "Connection reset by peer");
}

TEST_F(ConversationTest, TheDeadlineEndsAWaitAndEveryLaterOne)
{
    Conversation talk(*pair_.stream, deadline_, 100);
    deadline_.set(5ms);
    EXPECT_EQ(fill(talk), "timed out");
    EXPECT_EQ(fill(talk), "timed out");
    deadline_.set(10s);
    pair_.say("x");
    EXPECT_EQ(fill(talk), "");
}

TEST_F(ConversationTest, AWriteWaitsForAPeerThatIsSlow)
{
    Conversation talk(*pair_.stream, deadline_, 100);
    const std::string text(8 * 1024 * 1024, 'x');
    bool done = false;
    std::size_t heard = 0;
    const auto write = [](Conversation& to, const std::string& what, bool& ended) -> Task<> {
        co_await to.write(what);
        ended = true;
    };
    const auto listen = [](Loop& loop, const Connected& pair, std::size_t& bytes,
                           std::size_t all) -> Task<> {
        while (bytes < all) {
            bytes += pair.heard().size();
            co_await loop.next_turn();
        }
    };
    spawn(write(talk, text, done));
    EXPECT_FALSE(done);  // it does not fit
    run_to_the_end(loop_, listen(loop_, pair_, heard, text.size()));
    EXPECT_EQ(heard, text.size());
    EXPECT_TRUE(done);
}

TEST_F(ConversationTest, AWriteToNobodyFails)
{
    Conversation talk(*pair_.stream, deadline_, 100);
    pair_.close_peer();
    std::string end;
    const auto write = [](Conversation& to, std::string& text) -> Task<> {
        try {
            for (;;) {
                co_await to.write("words into the wind\r\n");
                co_await to.stream().loop().next_turn();
            }
        } catch (const Disconnected& disconnected) {
            text = disconnected.text();
        }
    };
    run_to_the_end(loop_, write(talk, end));
    EXPECT_TRUE(end == "Broken pipe" || end == "Connection reset by peer") << end;
}

class ConnectTest : public testing::Test
{
protected:
    static Task<> connect_to(Loop& loop, SocketAddress address, Deadline& deadline, int& error)
    {
        auto stream = co_await Stream::connect(loop, address, deadline, Stream::FirstWord::ours);
        error = stream ? 0 : stream.error();
    }
    int connect(const SocketAddress& address)
    {
        Deadline deadline(loop_);
        deadline.set(10s);
        int error = -1;
        run_to_the_end(loop_, connect_to(loop_, address, deadline, error));
        return error;
    }

    Loop loop_;
};

TEST_F(ConnectTest, SomebodyListensOrNot)
{
    sockaddr_in address{
        .sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    socklen_t size = sizeof address;
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    const auto target = SocketAddress::from(reinterpret_cast<sockaddr*>(&address), size);
    EXPECT_EQ(connect(target), ECONNREFUSED);
    ::listen(listener, 1);
    EXPECT_EQ(connect(target), 0);
    ::close(listener);
    EXPECT_EQ(connect(SocketAddress::unix_path("/nonexistent/socket")), ENOENT);
}

TEST_F(ConnectTest, NoConnectionIsLeft)
{
    const Connected pair = connected(loop_);
    loop_.set_connection_limit(1);
    EXPECT_EQ(connect(*SocketAddress::parse_ip("127.0.0.1", 9)), ENFILE);
}

}  // namespace
}  // namespace postern::net
