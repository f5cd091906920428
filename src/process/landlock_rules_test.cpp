// What Landlock forbids alone, without the filter of system calls.
#include "process/landlock_rules.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/address.h"
#include "process/testing_sandbox.h"

namespace postern::process {
namespace {

namespace fs = std::filesystem;

class LandlockRulesTest : public CaptiveTest
{
protected:
    // With rules of the kernel's ABI, or of an older one.
    Fate captive(const Attempt& attempt, int abi = landlock_abi()) const
    {
        return in_child([&] {
            auto rules = LandlockRules::make(abi);
            ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            const bool done = rules && rules->allow_reading(readable_) &&
                              rules->allow_reading(folder_ + "nowhere") &&
                              rules->allow_core_files(folder_ + "cores") && rules->apply();
            return done ? attempt() : kNoWorker;
        });
    }

    static int opens(const std::string& path, int flags = O_RDONLY)
    {
        return outcome(::open(path.c_str(), flags, 0600));
    }

    std::string readable_ = write("readable", "x");
    std::string other_ = write("other", "x");
    std::string core_ = write("cores/core", "x");
};

TEST_F(LandlockRulesTest, OnlyWhatIsAllowedCanBeRead)
{
    for (int abi = 1; abi <= landlock_abi(); ++abi) {
        EXPECT_EQ(captive([&] { return opens(readable_); }, abi), kWorks) << abi;
        EXPECT_EQ(captive([&] { return opens(other_); }, abi), fails(EACCES)) << abi;
        EXPECT_EQ(captive([&] { return opens("/"); }, abi), fails(EACCES)) << abi;
    }
}

TEST_F(LandlockRulesTest, NothingCanBeWrittenOrRun)
{
    char* const arguments[] = {const_cast<char*>("/bin/true"), nullptr};
    for (int abi = 1; abi <= landlock_abi(); ++abi) {
        EXPECT_EQ(captive([&] { return opens(readable_, O_WRONLY); }, abi), fails(EACCES)) << abi;
        EXPECT_EQ(captive([&] { return opens(folder_ + "new", O_WRONLY | O_CREAT); }, abi),
                  fails(EACCES))
            << abi;
        EXPECT_EQ(captive([&] { return outcome(::unlink(other_.c_str())); }, abi), fails(EACCES))
            << abi;
        EXPECT_EQ(captive([&] { return outcome(::execv(arguments[0], arguments)); }, abi),
                  fails(EACCES))
            << abi;
    }
    EXPECT_TRUE(fs::exists(other_));
}

TEST_F(LandlockRulesTest, CoreFilesGoWhereTheyAreAllowed)
{
    EXPECT_EQ(captive([&] { return opens(folder_ + "cores/core.1", O_WRONLY | O_CREAT); }), kWorks);
    EXPECT_EQ(captive([&] { return opens(core_); }), fails(EACCES));
}

// Older versions don't look at that.
TEST_F(LandlockRulesTest, NoPortIsListenedOn)
{
    const auto address = SocketAddress::parse_ip("127.0.0.1", 0);
    for (int abi = 1; abi <= landlock_abi(); ++abi) {
        EXPECT_EQ(captive(
                      [&] {
                          const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
                          return outcome(::bind(socket, address->data(), address->size()));
                      },
                      abi),
                  abi >= 4 ? fails(EACCES) : kWorks)
            << abi;
    }
}

TEST_F(LandlockRulesTest, OtherProcessesAreOutOfReach)
{
    const sockaddr_un address{.sun_family = AF_UNIX, .sun_path = "\0postern-sandbox-test"};
    const auto* const name = reinterpret_cast<const sockaddr*>(&address);
    const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(::bind(listener, name, sizeof address), 0);
    ASSERT_EQ(::listen(listener, 32), 0);
    const Attempt connect = [&] {
        return outcome(::connect(::socket(AF_UNIX, SOCK_STREAM, 0), name, sizeof address));
    };
    for (int abi = 1; abi <= landlock_abi(); ++abi) {
        const Fate fate = abi >= 6 ? fails(EPERM) : kWorks;
        EXPECT_EQ(captive(connect, abi), fate) << abi;
        EXPECT_EQ(captive([] { return outcome(::kill(::getppid(), 0)); }, abi), fate) << abi;
        EXPECT_EQ(captive([] { return outcome(::kill(::getpid(), 0)); }, abi), kWorks) << abi;
    }
    ::close(listener);
}

}  // namespace
}  // namespace postern::process
