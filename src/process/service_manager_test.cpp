#include "process/service_manager.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>

namespace postern::process {
namespace {

class ServiceManagerTest : public testing::Test
{
protected:
    ServiceManagerTest()
    {
        char name[] = "/tmp/postern_notify_XXXXXX";
        folder_ = ::mkdtemp(name);
        const SocketAddress address = SocketAddress::unix_path(folder_ + "/socket");
        socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        EXPECT_EQ(::bind(socket_, address.data(), address.size()), 0);
        ::setenv("NOTIFY_SOCKET", (folder_ + "/socket").c_str(), 1);
    }
    ~ServiceManagerTest() override
    {
        for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) {
            ::unsetenv(name);
        }
        ::close(socket_);
        std::filesystem::remove_all(folder_);
    }
    std::string heard() const
    {
        char text[512];
        const ssize_t size = ::recv(socket_, text, sizeof text, 0);
        return size < 0 ? "" : std::string(text, static_cast<std::size_t>(size));
    }

    std::string folder_;
    int socket_;
};

TEST_F(ServiceManagerTest, HearsWhatHappens)
{
    const ServiceManager manager;
    manager.ready();
    EXPECT_EQ(heard(), "READY=1\nSTATUS=Serving\nMAINPID=" + std::to_string(::getpid()));
    manager.reloading();
    EXPECT_TRUE(heard().starts_with("RELOADING=1\nSTATUS=Reading the configuration\nMONOTONIC_"));
    manager.stopping();
    EXPECT_EQ(heard(), "STOPPING=1\nSTATUS=Shutting down");
    manager.alive();
    EXPECT_EQ(heard(), "WATCHDOG=1");
}

TEST_F(ServiceManagerTest, SaysHowLongItWaits)
{
    EXPECT_FALSE(ServiceManager().watchdog());
    ::setenv("WATCHDOG_USEC", "30000000", 1);
    EXPECT_EQ(ServiceManager().watchdog(), std::chrono::seconds(30));
    ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
    EXPECT_EQ(ServiceManager().watchdog(), std::chrono::seconds(30));
    ::setenv("WATCHDOG_PID", "1", 1);
    EXPECT_FALSE(ServiceManager().watchdog());
    ::unsetenv("WATCHDOG_PID");
    for (const char* nothing : {"0", "", "x", "-1"}) {
        ::setenv("WATCHDOG_USEC", nothing, 1);
        EXPECT_FALSE(ServiceManager().watchdog()) << nothing;
    }
    ::setenv("WATCHDOG_USEC", "18446744073709551615", 1);
    EXPECT_EQ(ServiceManager().watchdog(), std::chrono::hours(24));
}

TEST_F(ServiceManagerTest, WithoutOneNothingIsSaid)
{
    for (const char* address : {"", "x", "@", "relative/path"}) {
        ::setenv("NOTIFY_SOCKET", address, 1);
        ServiceManager().ready();
    }
    ::unsetenv("NOTIFY_SOCKET");
    ServiceManager().ready();
    EXPECT_EQ(heard(), "");
}

}  // namespace
}  // namespace postern::process
