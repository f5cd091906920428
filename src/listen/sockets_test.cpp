#include "listen/sockets.h"

#include <arpa/inet.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "config/testing.h"

namespace postern::listen {
namespace {

// A socket of somebody else.
class Other
{
public:
    explicit Other(const SocketAddress& address)
        : descriptor_(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        const int on = 1;
        setsockopt(descriptor_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        EXPECT_EQ(::bind(descriptor_, address.data(), address.size()), 0);
    }
    ~Other() { ::close(descriptor_); }
    Other(const Other&) = delete;
    Other& operator=(const Other&) = delete;

    void listen() const { EXPECT_EQ(::listen(descriptor_, 1), 0); }
    SocketAddress address() const
    {
        sockaddr_storage storage{};
        socklen_t size = sizeof storage;
        getsockname(descriptor_, reinterpret_cast<sockaddr*>(&storage), &size);
        return SocketAddress::from(reinterpret_cast<sockaddr*>(&storage), size);
    }

private:
    int descriptor_;
};

SocketAddress loopback(const char* ip, std::uint16_t port)
{
    return *SocketAddress::parse_ip(ip, port);
}

std::uint16_t free_port()
{
    return Other(loopback("127.0.0.1", 0)).address().port();
}

// Connects; 0 or errno.
int knock(const SocketAddress& address)
{
    const int client = ::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int result = ::connect(client, address.data(), address.size()) == 0 ? 0 : errno;
    ::close(client);
    return result;
}

class SocketsTest : public config::ConfigTest
{
protected:
    // Opens what "listen" directives say, each in a server of its own.
    std::expected<std::vector<Socket>, std::string> open(const std::vector<std::string>& listens,
                                                         Mode mode = Mode::serve)
    {
        std::string servers;
        for (const std::string& listen : listens) {
            servers += "server { protocol imap; listen " + listen + "; }\n";
        }
        settings_ = settings("mail { auth_http 127.0.0.1:9000;\n" + servers + "}");
        const auto report = [this](LogLevel, const std::string& text) {
            reports_.push_back(text);
            if (on_report_) {
                on_report_();
            }
        };
        return open_sockets(settings_, old_, mode, report);
    }

    std::string unix_listen(const char* name) const { return "unix:" + folder_ + name; }

    config::Settings settings_;
    std::vector<Socket> old_;
    std::vector<std::string> reports_;
    std::function<void()> on_report_;
};

TEST_F(SocketsTest, AWildcardStandsForTheOthersOfItsPort)
{
    const std::uint16_t port = free_port();
    const std::string text = std::to_string(port);
    auto sockets = open({"127.0.0.2:" + text, text, "127.0.0.1:" + text});
    ASSERT_TRUE(sockets) << sockets.error();
    ASSERT_EQ(sockets->size(), 1u);
    const Socket& socket = sockets->front();
    EXPECT_TRUE(socket.address().is_wildcard());
    // A connection belongs to the server of the address that it came to, or to the wildcard's.
    const auto server_of = [&](const char* ip) {
        const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const SocketAddress target = loopback(ip, port);
        EXPECT_EQ(::connect(client, target.data(), target.size()), 0);
        const int accepted = ::accept4(socket.descriptor(), nullptr, nullptr, SOCK_CLOEXEC);
        EXPECT_GE(accepted, 0);
        const std::size_t server = socket.endpoint_of(accepted).server;
        ::close(accepted);
        ::close(client);
        return server;
    };
    EXPECT_EQ(server_of("127.0.0.2"), 0u);
    EXPECT_EQ(server_of("127.0.0.3"), 1u);
    EXPECT_EQ(server_of("127.0.0.1"), 2u);
}

TEST_F(SocketsTest, WithoutAWildcardEachIsBound)
{
    const std::string text = std::to_string(free_port());
    const auto sockets = open({"127.0.0.2:" + text, "127.0.0.1:" + text});
    ASSERT_TRUE(sockets) << sockets.error();
    ASSERT_EQ(sockets->size(), 2u);
    EXPECT_EQ((*sockets)[0].address().ip_text(), "127.0.0.2");
    EXPECT_EQ((*sockets)[1].endpoints.front().server, 1u);
    EXPECT_EQ((*sockets)[1].endpoints.front().name, "127.0.0.1:" + text);
}

TEST_F(SocketsTest, AnAddressInUseIsTriedAgain)
{
    auto other = std::make_unique<Other>(loopback("127.0.0.1", 0));
    other->listen();
    const SocketAddress address = other->address();
    on_report_ = [&] { other.reset(); };
    const auto sockets = open({address.text()});
    EXPECT_TRUE(sockets);
    EXPECT_EQ(reports_, (std::vector<std::string>{
                            "bind() to " + address.text() + " failed (98: Address already in use)",
                            "try again to bind() after 500ms"}));
}

TEST_F(SocketsTest, AnAddressThatStaysInUse)
{
    const Other other(loopback("127.0.0.1", 0));
    other.listen();
    const auto sockets = open({other.address().text()});
    ASSERT_FALSE(sockets);
    EXPECT_EQ(sockets.error(), "still could not bind()");
    EXPECT_EQ(reports_.size(), 5u + 4u);
}

TEST_F(SocketsTest, ATestDoesNotMindAnAddressInUse)
{
    const Other other(loopback("127.0.0.1", 0));
    other.listen();
    EXPECT_TRUE(open({other.address().text()}, Mode::test));
    EXPECT_TRUE(reports_.empty());
}

TEST_F(SocketsTest, AnAddressOfNobodyHere)
{
    for (const Mode mode : {Mode::serve, Mode::test}) {
        const auto sockets = open({"192.0.2.1:10143"}, mode);
        ASSERT_FALSE(sockets);
        EXPECT_EQ(sockets.error(),
                  "bind() to 192.0.2.1:10143 failed (99: Cannot assign requested address)");
    }
}

TEST_F(SocketsTest, AReloadTakesOverWhatStays)
{
    const SocketAddress stays = loopback("127.0.0.1", free_port());
    const SocketAddress goes = loopback("127.0.0.2", stays.port());
    auto before = open({goes.text(), stays.text()});
    ASSERT_TRUE(before) << before.error();
    const int descriptor = (*before)[1].descriptor();
    old_ = std::move(*before);
    const auto after = open({unix_listen("new"), stays.text() + " rcvbuf=20000"});
    ASSERT_TRUE(after) << after.error();
    ASSERT_EQ(after->size(), 2u);
    EXPECT_EQ((*after)[1].descriptor(), descriptor);
    EXPECT_EQ((*after)[1].endpoints.front().server, 1u);
    int bytes = 0;
    socklen_t size = sizeof bytes;
    getsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, &size);
    EXPECT_EQ(bytes, 2 * 20000);  // socket(7): the kernel doubles it
    ASSERT_EQ(old_.size(), 1u);
    EXPECT_EQ(old_.front().address(), goes);
    EXPECT_EQ(knock(stays), 0);
    old_.clear();
    EXPECT_EQ(knock(goes), ECONNREFUSED);
}

// IPPROTO_MPTCP or IPPROTO_TCP.
int protocol_of(const Socket& socket)
{
    int protocol = 0;
    socklen_t size = sizeof protocol;
    getsockopt(socket.descriptor(), SOL_SOCKET, SO_PROTOCOL, &protocol, &size);
    return protocol;
}

bool has_multipath()
{
    const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);
    ::close(probe);
    return probe >= 0;
}

TEST_F(SocketsTest, MultipathWhereTheSystemHasIt)
{
    const SocketAddress address = loopback("127.0.0.1", free_port());
    const auto sockets = open({address.text() + " multipath"});
    ASSERT_TRUE(sockets) << sockets.error();
    if (has_multipath()) {
        EXPECT_EQ(protocol_of(sockets->front()), IPPROTO_MPTCP);
        EXPECT_TRUE(reports_.empty());
    } else {
        EXPECT_EQ(protocol_of(sockets->front()), IPPROTO_TCP);
        EXPECT_EQ(reports_.size(), 1u);
    }
    EXPECT_EQ(knock(address), 0) << "plain TCP is served all the same";
}

TEST_F(SocketsTest, WithoutMultipathItIsPlainAndTold)
{
    const auto sockets = open({unix_listen("s") + " multipath"});  // of which there is never any
    ASSERT_TRUE(sockets) << sockets.error();
    EXPECT_EQ(knock(SocketAddress::unix_path(folder_ + "s")), 0);
    EXPECT_EQ(reports_,
              std::vector<std::string>{"socket(IPPROTO_MPTCP) for " + unix_listen("s") +
                                       " failed (93: Protocol not supported), \"multipath\" in " +
                                       folder_ + "conf/t.conf:2 is ignored"});
}

TEST_F(SocketsTest, AReloadCannotChangeTheProtocolAndSaysSo)
{
    if (!has_multipath()) {
        return;  // then there is but one protocol
    }
    const std::string address = loopback("127.0.0.1", free_port()).text();
    const std::string local = unix_listen("s");
    for (const bool multipath : {true, false}) {
        const std::string with = address + " multipath";
        auto before = open({multipath ? address : with, local});
        ASSERT_TRUE(before) << before.error();
        const int protocol = protocol_of(before->front());
        old_ = std::move(*before);
        const auto after = open({multipath ? with : address, local});
        ASSERT_TRUE(after) << after.error();
        EXPECT_EQ(protocol_of(after->front()), protocol);
        EXPECT_EQ(reports_, std::vector<std::string>{
                                address + " keeps its socket " + (multipath ? "without" : "with") +
                                " multipath TCP until Postern is started anew"});
        reports_.clear();
    }
}

TEST_F(SocketsTest, AfterCloseSessionsStillKnowWhereTheyCameFrom)
{
    const SocketAddress address = loopback("127.0.0.1", free_port());
    auto sockets = open({address.text()});
    ASSERT_TRUE(sockets) << sockets.error();
    Socket& socket = sockets->front();
    const std::string_view name = socket.endpoints.front().name;  // as a session's log has it
    socket.close();
    EXPECT_EQ(knock(address), ECONNREFUSED);
    EXPECT_EQ(socket.endpoints.front().name.data(), name.data());
    EXPECT_EQ(name, address.text());
}

TEST_F(SocketsTest, AUnixSocketIsForAllUsers)
{
    const auto sockets = open({unix_listen("socket")});
    ASSERT_TRUE(sockets) << sockets.error();
    struct stat status{};
    ASSERT_EQ(::stat((folder_ + "socket").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777u, 0666u);
    EXPECT_EQ(knock(SocketAddress::unix_path(folder_ + "socket")), 0);
}

TEST_F(SocketsTest, AUnixSocketThatWasLeftBehindIsReplaced)
{
    const SocketAddress address = SocketAddress::unix_path(folder_ + "socket");
    {
        const Other killed(address);
        killed.listen();
    }
    ASSERT_EQ(knock(address), ECONNREFUSED);
    const auto sockets = open({unix_listen("socket")});
    ASSERT_TRUE(sockets) << sockets.error();
    EXPECT_EQ(knock(address), 0);
}

TEST_F(SocketsTest, AUnixSocketThatIsServedStays)
{
    const SocketAddress address = SocketAddress::unix_path(folder_ + "socket");
    const Other served(address);
    served.listen();
    // However many wait in its queue.
    std::vector<int> waiting;
    for (int i = 0; i < 8; ++i) {
        waiting.push_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        ::connect(waiting.back(), address.data(), address.size());
    }
    EXPECT_TRUE(open({unix_listen("socket")}, Mode::test));
    EXPECT_TRUE(std::filesystem::exists(folder_ + "socket"));
    for (const int client : waiting) {
        ::close(client);
    }
}

TEST_F(SocketsTest, AFileIsNoSocketThatWasLeftBehind)
{
    write("file", "somebody's work");
    EXPECT_TRUE(open({unix_listen("file")}, Mode::test));
    EXPECT_EQ(std::filesystem::file_size(folder_ + "file"), 15u);
}

TEST_F(SocketsTest, ATestLeavesNoSocketBehind)
{
    EXPECT_TRUE(open({unix_listen("socket")}, Mode::test));
    EXPECT_FALSE(std::filesystem::exists(folder_ + "socket"));
}

}  // namespace
}  // namespace postern::listen
