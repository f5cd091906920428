#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <regex>

#include "base/address.h"
#include "base/text.h"
#include "log/testing.h"

namespace postern::log {
namespace {

class SyslogTest : public LoggerTest
{
protected:
    SyslogTest() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}
    ~SyslogTest() override { ::close(socket_); }

    void start_server() { EXPECT_EQ(bind_to(socket_), 0); }

    int bind_to(int socket) const
    {
        const auto address = SocketAddress::unix_path((folder_ / "syslog").string());
        return ::bind(socket, address.data(), address.size());
    }

    LogTarget target() const
    {
        return {.kind = LogTarget::Kind::syslog,
                .level = LogLevel::debug,
                .path = "unix:" + (folder_ / "syslog").string()};
    }

    static std::string receive(int socket)
    {
        pollfd state{.fd = socket, .events = POLLIN, .revents = 0};
        if (::poll(&state, 1, 5000) != 1) {
            return "nothing arrived";
        }
        char bytes[4096];
        const ssize_t count = ::recv(socket, bytes, sizeof(bytes), 0);
        return {bytes, static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
    }

    static std::string host()
    {
        char name[256] = {};
        ::gethostname(name, sizeof(name) - 1);
        return to_lower(std::string_view(name));
    }

    int socket_;
};

constexpr char kSyslogTime[] =
    "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) ([ 1-3][0-9]) [0-9]{2}:[0-9]{2}:[0-9]{2}";

TEST_F(SyslogTest, DatagramIsAsNginxSendsIt)  // RFC 3164 section 4.1
{
    start_server();
    logger(target()).write(LogLevel::error, "upstream timed out", 5);
    const std::string datagram = receive(socket_);
    const std::string pattern =
        std::string("<187>") + kSyslogTime + " " + host() +  // 23 * 8 + 3
        R"( postern: \d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[error\] \d+#\d+: \*5 upstream timed out)";
    EXPECT_TRUE(std::regex_match(datagram, std::regex(pattern))) << datagram;
}

TEST_F(SyslogTest, PriorityIsFacilityAndSeverity)  // RFC 3164 section 4.1.1
{
    start_server();
    for (const unsigned facility : {0u, 2u, 23u}) {
        LogTarget description = target();
        description.syslog_facility = static_cast<unsigned char>(facility);
        const Logger log = logger(description);
        for (unsigned severity = 0; severity <= 7; ++severity) {
            log.write(static_cast<LogLevel>(severity), "x");
            EXPECT_TRUE(receive(socket_).starts_with(fmt::format("<{}>", facility * 8 + severity)));
        }
    }
}

TEST_F(SyslogTest, TagAndNoHostName)
{
    start_server();
    LogTarget description = target();
    description.syslog_tag = "mail_proxy";
    description.syslog_nohostname = true;
    logger(description).write(LogLevel::info, "hello");
    const std::string datagram = receive(socket_);
    EXPECT_TRUE(std::regex_search(
        datagram, std::regex(std::string("^<190>") + kSyslogTime + " mail_proxy: [0-9]{4}/")))
        << datagram;
}

TEST_F(SyslogTest, TagHasAtMost32Characters)
{
    start_server();
    for (const std::size_t size : {32u, 33u}) {
        LogTarget description = target();
        description.syslog_nohostname = true;
        description.syslog_tag = std::string(size, 't');
        logger(description).write(LogLevel::info, "hello");
        EXPECT_NE(receive(socket_).find(' ' + std::string(32, 't') + ": "), std::string::npos);
    }
}

TEST_F(SyslogTest, LongestLineArrivesWhole)
{
    start_server();
    logger(target()).write(LogLevel::info, std::string(5000, 'x') + "\n");
    const std::string datagram = receive(socket_);
    const auto line = datagram.find(": ") + 2;
    EXPECT_EQ(datagram.size() - line, 2047u);
    EXPECT_EQ(datagram.back(), 'x');
}

TEST_F(SyslogTest, ServerMayComeLaterAndBeRestarted)
{
    const Logger log = logger(target());
    log.write(LogLevel::info, "lost");
    start_server();
    log.write(LogLevel::info, "first");
    EXPECT_TRUE(receive(socket_).ends_with(": first"));

    ::close(socket_);
    std::filesystem::remove(folder_ / "syslog");
    log.write(LogLevel::info, "lost too");
    socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    start_server();
    log.write(LogLevel::info, "second");
    EXPECT_TRUE(receive(socket_).ends_with(": second"));
}

TEST_F(SyslogTest, ServerThatReadsNothingStopsNobody)
{
    start_server();
    const Logger log = logger(target());
    for (int i = 0; i < 5000; ++i) {
        log.write(LogLevel::info, "a line");  // more than the queue of a datagram socket holds
    }
    EXPECT_TRUE(receive(socket_).ends_with(": a line"));
}

TEST_F(SyslogTest, UdpToEitherFamily)
{
    for (const auto& [ip, name] :
         {std::pair("127.0.0.1", "127.0.0.1:{}"), std::pair("::1", "[::1]:{}")}) {
        auto address = *SocketAddress::parse_ip(ip, 0);
        const int server = ::socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (::bind(server, address.data(), address.size()) != 0) {
            ::close(server);  // no IPv6 here
            continue;
        }
        sockaddr_storage bound{};
        socklen_t size = sizeof(bound);
        ::getsockname(server, reinterpret_cast<sockaddr*>(&bound), &size);
        const auto port = SocketAddress::from(reinterpret_cast<sockaddr*>(&bound), size).port();
        LogTarget description = target();
        description.path = fmt::format(fmt::runtime(name), port);
        logger(description).write(LogLevel::info, "over udp");
        EXPECT_TRUE(receive(server).ends_with(": over udp")) << description.path;
        ::close(server);
    }
}

TEST_F(SyslogTest, ServerThatCannotBeIsNamed)
{
    LogTarget description = target();
    std::string error;
    description.path = ":514";
    EXPECT_FALSE(targets_.open(description, error));
    EXPECT_EQ(error, "host not found in syslog server \":514\"");

    description.path = "unix:" + std::string(107, 'p');
    EXPECT_TRUE(targets_.open(description, error));
    description.path = "unix:" + std::string(108, 'p');
    EXPECT_FALSE(targets_.open(description, error));
    EXPECT_NE(error.find("must be of 1 to 107 bytes"), std::string::npos);
}

}  // namespace
}  // namespace postern::log
