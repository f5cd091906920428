#include "listen/listener.h"

#include <sys/resource.h>

#include "log/testing.h"
#include "net/testing.h"

namespace postern::listen {
namespace {

using namespace std::chrono_literals;

class ListenerTest : public log::LoggerTest
{
protected:
    ListenerTest()
    {
        const SocketAddress any = *SocketAddress::parse_ip("127.0.0.1", 0);
        listening_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        EXPECT_EQ(::bind(listening_, any.data(), any.size()), 0);
        EXPECT_EQ(::listen(listening_, 200), 0);
        address_ = name_of(listening_, getsockname);
        listen_on(listening_);
    }
    void listen_on(int descriptor, Accepts accepts = Accepts::many)
    {
        listener_ = std::make_unique<Listener>(
            loop_, descriptor, "NAME", logger(file_target("log")), accepts,
            [this](Descriptor accepted, const SocketAddress& client) {
                if (is_out_of_memory_) {
                    throw std::bad_alloc();
                }
                accepted_.push_back(client.text());
                streams_.push_back(std::make_unique<net::Stream>(loop_, accepted.release()));
            },
            [this] { return makes_room_; });
    }
    ~ListenerTest() override
    {
        for (const int client : clients_) {
            ::close(client);
        }
        listener_.reset();
        ::close(listening_);
    }

    bool makes_room_ = false;
    bool is_out_of_memory_ = false;

    static SocketAddress name_of(int descriptor, decltype(getsockname)* get)
    {
        sockaddr_storage storage{};
        socklen_t size = sizeof storage;
        EXPECT_EQ(get(descriptor, reinterpret_cast<sockaddr*>(&storage), &size), 0);
        return SocketAddress::from(reinterpret_cast<sockaddr*>(&storage), size);
    }
    // A client that has connected, or waits in the queue. Its own address.
    std::string come()
    {
        const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        EXPECT_EQ(::connect(client, address_.data(), address_.size()), 0);
        clients_.push_back(client);
        return name_of(client, getsockname).text();
    }
    template <typename Condition>
    void wait_until(Condition condition)
    {
        const auto watch = [](net::Loop& loop, Condition& holds) -> net::Task<> {
            while (!holds()) {
                co_await loop.next_turn();
            }
        };
        net::run_to_the_end(loop_, watch(loop_, condition));
    }
    void wait(net::Clock::duration time)
    {
        const auto end = net::Clock::now() + time;
        wait_until([end] { return net::Clock::now() >= end; });
    }

    net::Loop loop_;
    int listening_ = -1;
    SocketAddress address_;
    std::vector<int> clients_;
    std::vector<std::string> accepted_;
    std::vector<std::unique_ptr<net::Stream>> streams_;
    std::unique_ptr<Listener> listener_;
};

TEST_F(ListenerTest, MoreClientsThanItTakesInARow)
{
    std::vector<std::string> came;
    for (int i = 0; i < 150; ++i) {
        came.push_back(come());
    }
    wait_until([&] { return accepted_.size() >= came.size(); });
    EXPECT_EQ(accepted_, came);
}

// How many clients of ten are taken in the round that takes most.
TEST_F(ListenerTest, OneAtAWakeUpOrAllThatWait)
{
    const auto most_in_a_round = [this](Accepts accepts) {
        listener_.reset();
        accepted_.clear();
        for (int i = 0; i < 10; ++i) {
            come();
        }
        listen_on(listening_, accepts);
        std::size_t before = 0;
        std::size_t most = 0;
        wait_until([&] {
            most = std::max(most, accepted_.size() - before);
            before = accepted_.size();
            return before == 10;
        });
        return most;
    };
    EXPECT_EQ(most_in_a_round(Accepts::one), 1u);
    EXPECT_EQ(most_in_a_round(Accepts::many), 10u);
}

TEST_F(ListenerTest, WhoHasComeBeforeItFinishesIsServed)
{
    const std::vector<std::string> came = {come(), come(), come()};
    listener_->finish();
    EXPECT_EQ(accepted_, came);
    come();
    for (int i = 0; i < 3; ++i) {
        net::run_to_the_end(
            loop_, [](net::Loop& loop) -> net::Task<> { co_await loop.next_turn(); }(loop_));
    }
    EXPECT_EQ(accepted_, came);
}

TEST_F(ListenerTest, WhenTheLoopIsFullClientsAreTurnedAway)
{
    loop_.set_connection_limit(1);
    come();
    come();
    wait_until([&] { return !lines("log").empty(); });
    EXPECT_EQ(accepted_.size(), 1u);
    EXPECT_NE(read("log").find("[alert]"), std::string::npos);
    EXPECT_NE(read("log").find("1 worker_connections are not enough while accepting new "
                               "connection on NAME"),
              std::string::npos);
    char byte;
    EXPECT_EQ(::recv(clients_[1], &byte, 1, 0), 0);
    streams_.clear();
    come();
    wait_until([&] { return accepted_.size() == 2; });
}

// Clients wait in the queue, and the loop neither spins nor fills the log.
TEST_F(ListenerTest, WithoutDescriptorsItPauses)
{
    come();
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit none{0, before.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    wait(100ms);
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_TRUE(accepted_.empty());
    ASSERT_EQ(lines("log").size(), 1u);
    EXPECT_NE(read("log").find("[crit]"), std::string::npos);
    EXPECT_NE(read("log").find("accept4() failed (24: Too many open files) while accepting new "
                               "connection on NAME"),
              std::string::npos);
    wait_until([&] { return accepted_.size() == 1; });
}

// So do those for whom there is no memory: it is not their fault, and the next ones are served.
TEST_F(ListenerTest, WithoutMemoryItPauses)
{
    is_out_of_memory_ = true;
    come();
    come();
    wait(100ms);
    ASSERT_EQ(lines("log").size(), 1u);
    EXPECT_NE(read("log").find("[crit]"), std::string::npos);
    EXPECT_NE(read("log").find("out of memory (12: Cannot allocate memory) while accepting new "
                               "connection on NAME"),
              std::string::npos);
    char byte;
    EXPECT_EQ(::recv(clients_[0], &byte, 1, 0), 0);
    is_out_of_memory_ = false;
    wait_until([&] { return accepted_.size() == 1; });
}

TEST_F(ListenerTest, WhatCanNotBeWatchedNowIsTriedAgain)
{
    const int number = ::dup(listening_);
    ::close(number);
    listen_on(number);  // which is no descriptor yet
    ASSERT_EQ(::dup2(listening_, number), number);
    come();
    wait_until([&] { return accepted_.size() == 1; });
    listener_.reset();
    ::close(number);
}

TEST_F(ListenerTest, OneThatIsGoneAcceptsNobody)
{
    listener_.reset();
    come();
    wait(20ms);
    EXPECT_TRUE(accepted_.empty());
}

}  // namespace
}  // namespace postern::listen
