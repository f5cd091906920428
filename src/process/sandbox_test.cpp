#include <fcntl.h>
#include <linux/keyctl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <thread>

#include "base/address.h"
#include "process/seccomp_filter.h"
#include "process/testing_sandbox.h"

namespace postern::process {
namespace {

namespace fs = std::filesystem;

int opens(const std::string& path, int flags = O_RDONLY)
{
    return outcome(::open(path.c_str(), flags, 0600));
}

// With the rights of root, where the tests have them, and with those of a worker.
enum class As : unsigned char { whoever_tests, nobody };

class SandboxTest : public CaptiveTest, public testing::WithParamInterface<As>
{
protected:
    SandboxTest()
    {
        fs::permissions(folder_, fs::perms(0755));
        users_ = write("auth/users", "bob:{PLAIN}x\n");
        key_ =
            write("tls/key.pem", "the key");  // anybody may read it: only the sandbox doesn't let
        settings_ = settings(configuration());
        if (GetParam() == As::nobody) {
            identity_ = Identity{.uid = 65534, .gid = 65534, .name = "nobody"};
            fs::permissions(folder_ + "auth", fs::perms(0777));
        }
    }

    std::string configuration(const std::string& main = "") const
    {
        return main + "mail { auth_file " + users_ + "; server { listen 143; ssl_certificate " +
               key_ + "; ssl_certificate_key " + key_ + "; } }";
    }

    Fate worker(const Attempt& attempt) const { return in_worker(settings_, identity_, attempt); }

    std::string users_;
    std::string key_;
    config::Settings settings_;
    std::optional<Identity> identity_;
};

// None in a build without the filter; only root can become nobody.
std::vector<As> users()
{
    std::vector<As> all;
    if (seccomp_is_built_in()) {
        all.push_back(As::whoever_tests);
        if (::geteuid() == 0) {
            all.push_back(As::nobody);
        }
    }
    return all;
}

std::string user_name(const testing::TestParamInfo<As>& user)
{
    return user.param == As::nobody ? "nobody" : "whoever_tests";
}

// In builds with sanitizers there is no sandbox.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(SandboxTest);
INSTANTIATE_TEST_SUITE_P(Users, SandboxTest, testing::ValuesIn(users()), user_name);

TEST_P(SandboxTest, WithoutItAllCanBeDone)  // so that the tests below show something
{
    settings_ = settings(configuration("sandbox off;"));
    EXPECT_EQ(worker([&] { return opens(key_); }), kWorks);
    EXPECT_EQ(worker([&] { return opens("/etc/passwd"); }), kWorks);
    EXPECT_EQ(worker([&] { return opens(users_ + ".new", O_WRONLY | O_CREAT); }), kWorks);
    EXPECT_EQ(worker([] { return ::system("true"); }), kWorks);
}

TEST_P(SandboxTest, NoKeyCanBeOpened)
{
    EXPECT_EQ(worker([&] { return opens(key_); }), fails(EACCES));
    EXPECT_EQ(worker([&] { return opens("/proc/self/root" + key_); }), fails(EACCES));
    fs::create_symlink(key_, folder_ + "auth/link");
    EXPECT_EQ(worker([&] { return opens(folder_ + "auth/link"); }), fails(EACCES));
}

TEST_P(SandboxTest, NoOtherFileCanBeRead)
{
    for (const char* const path :
         {"/etc/passwd", "/etc", "/", "/proc/self/mem", "/proc/1/environ", "/bin/sh", "/tmp"}) {
        EXPECT_EQ(worker([&] { return opens(path); }), fails(EACCES)) << path;
    }
}

// A worker waits for the new file, which somebody else puts there.
TEST_P(SandboxTest, UsersCanBeReadAlsoWhenTheyAreReplaced)
{
    int ready[2];
    int replaced[2];
    ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
    ASSERT_EQ(::pipe2(replaced, O_CLOEXEC), 0);
    std::thread friendly([&] {
        char byte = 0;
        EXPECT_EQ(::read(ready[0], &byte, 1), 1);
        fs::rename(write("auth/users.new", "eve:{PLAIN}y\n"), users_);
        EXPECT_EQ(::write(replaced[1], &byte, 1), 1);
    });
    EXPECT_EQ(worker([&] {
                  char text[3] = {};
                  if (const int error = opens(users_); error != 0) {
                      return error;
                  }
                  if (::write(ready[1], text, 1) != 1 || ::read(replaced[0], text, 1) != 1) {
                      return kNoWorker;
                  }
                  const int users = ::open(users_.c_str(), O_RDONLY);
                  return ::read(users, text, 3) == 3 && std::string(text, 3) == "eve" ? 0 : errno;
              }),
              kWorks);
    friendly.join();
}

TEST_P(SandboxTest, NothingCanBeWritten)
{
    const std::string fresh = folder_ + "auth/new";
    EXPECT_EQ(worker([&] { return opens(users_, O_WRONLY); }), fails(EPERM));
    EXPECT_EQ(worker([&] { return opens(users_, O_RDWR); }), fails(EPERM));
    EXPECT_EQ(worker([&] { return opens(users_, O_RDONLY | O_TRUNC); }), fails(EPERM));
    EXPECT_EQ(worker([&] { return opens(fresh, O_RDONLY | O_CREAT); }), fails(EPERM));
    EXPECT_EQ(worker([&] { return opens(folder_ + "auth", O_TMPFILE | O_RDWR); }), fails(EPERM));
    EXPECT_EQ(worker([&] { return outcome(::creat(fresh.c_str(), 0600)); }), fails(EPERM));
    EXPECT_EQ(worker([&] { return outcome(::truncate(users_.c_str(), 0)); }), fails(EPERM));
    EXPECT_EQ(worker([&] { return outcome(::unlink(users_.c_str())); }), fails(EPERM));
    EXPECT_EQ(worker([&] { return outcome(::rename(users_.c_str(), fresh.c_str())); }),
              fails(EPERM));
    EXPECT_EQ(worker([&] { return outcome(::link(users_.c_str(), fresh.c_str())); }), fails(EPERM));
    EXPECT_EQ(worker([&] { return outcome(::symlink("/", fresh.c_str())); }), fails(EPERM));
    EXPECT_EQ(worker([&] { return outcome(::mkdir(fresh.c_str(), 0700)); }), fails(EPERM));
    EXPECT_EQ(worker([&] { return outcome(::chmod(users_.c_str(), 0777)); }), fails(EPERM));
    EXPECT_EQ(worker([&] { return outcome(::chown(users_.c_str(), 0, 0)); }), fails(EPERM));
    EXPECT_FALSE(fs::exists(fresh));
}

TEST_P(SandboxTest, OfALogOnlyTheEndCanBeWritten)
{
    const std::string path = write("log", "before\n");
    const int log = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
    EXPECT_EQ(worker([&] { return outcome(::write(log, "after\n", 6)); }), kWorks);
    EXPECT_EQ(worker([&] { return outcome(::lseek(log, 0, SEEK_SET)); }), fails(EPERM));
    EXPECT_EQ(worker([&] { return outcome(::pwrite(log, "x", 1, 0)); }), fails(EPERM));
    EXPECT_EQ(worker([&] { return outcome(::ftruncate(log, 0)); }), fails(EPERM));
    EXPECT_EQ(worker([&] { return outcome(::fchmod(log, 0777)); }), fails(EPERM));
    EXPECT_EQ(worker([&] {
                  int pipe[2];
                  loff_t begin = 0;
                  return ::pipe2(pipe, O_CLOEXEC) != 0 || ::write(pipe[1], "x", 1) != 1
                             ? kNoWorker
                             : outcome(::splice(pipe[0], nullptr, log, &begin, 1, 0));
              }),
              fails(EPERM));
    ::close(log);
    std::string text;
    std::ifstream file(path);
    std::getline(file, text, '\0');
    EXPECT_EQ(text, "before\nafter\n");
}

// Calls that nothing but an attack makes end the process.
TEST_P(SandboxTest, WaysOutAreDeadly)
{
    char byte = 0;
    iovec here{&byte, 1};
    char* const arguments[] = {const_cast<char*>("/bin/true"), nullptr};
    const std::pair<const char*, Attempt> attempts[] = {
        {"execve", [&] { return outcome(::execv("/bin/true", arguments)); }},
        {"execveat",
         [&] {
             return outcome(
                 ::syscall(SYS_execveat, AT_FDCWD, arguments[0], arguments, arguments + 1, 0));
         }},
        {"system", [] { return ::system("true"); }},
        {"fork", [] { return outcome(::fork()); }},
#ifdef SYS_fork
        {"fork, the call itself", [] { return outcome(::syscall(SYS_fork)); }},
#endif
        {"clone", [] { return outcome(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }},
        {"clone, in a namespace",
         [] { return outcome(::syscall(SYS_clone, SIGCHLD | CLONE_NEWUSER, 0, 0, 0, 0)); }},
        {"unshare", [] { return outcome(::unshare(CLONE_NEWUSER)); }},
        {"ptrace", [] { return outcome(::ptrace(PTRACE_ATTACH, ::getppid(), 0, 0)); }},
        {"process_vm_readv",
         [&] { return outcome(::process_vm_readv(::getppid(), &here, 1, &here, 1, 0)); }},
        {"process_vm_writev",
         [&] { return outcome(::process_vm_writev(::getppid(), &here, 1, &here, 1, 0)); }},
        {"mount", [] { return outcome(::mount("none", "/mnt", "tmpfs", 0, nullptr)); }},
        {"chroot", [] { return outcome(::chroot("/")); }},
        {"bpf", [] { return outcome(::syscall(SYS_bpf, 0, nullptr, 0)); }},
        {"keyctl", [] { return outcome(::syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, -1, 0)); }},
        {"init_module", [] { return outcome(::syscall(SYS_init_module, nullptr, 0, "")); }},
        {"io_uring", [] { return outcome(::syscall(SYS_io_uring_setup, 1, nullptr)); }},
        {"userfaultfd", [] { return outcome(::syscall(SYS_userfaultfd, 0)); }},
        {"perf", [] { return outcome(::syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0)); }},
        {"memfd_create", [] { return outcome(::syscall(SYS_memfd_create, "x", 0)); }},
    };
    for (const auto& [name, attempt] : attempts) {
        EXPECT_EQ(worker(attempt), kKilled) << name;
    }
}

TEST_P(SandboxTest, OtherProcessesGetNoSignal)
{
    const pid_t other = ::getpid();
    EXPECT_EQ(worker([&] { return outcome(::kill(other, 0)); }), fails(EPERM));
    EXPECT_EQ(worker([&] { return outcome(::kill(-1, 0)); }), fails(EPERM));
    EXPECT_EQ(worker([&] { return outcome(::kill(0, 0)); }), fails(EPERM));
    EXPECT_EQ(worker([&] { return outcome(::syscall(SYS_tgkill, other, other, 0)); }),
              fails(EPERM));
    EXPECT_EQ(worker([&] { return outcome(::syscall(SYS_tkill, other, 0)); }), fails(EPERM));
    siginfo_t info{};
    info.si_code = SI_QUEUE;
    EXPECT_EQ(worker([&] { return outcome(::syscall(SYS_rt_sigqueueinfo, other, 0, &info)); }),
              fails(EPERM));
    EXPECT_EQ(worker([&] { return outcome(::syscall(SYS_pidfd_open, other, 0)); }), fails(EPERM));
}

TEST_P(SandboxTest, NobodyListens)
{
    const auto address = SocketAddress::parse_ip("127.0.0.1", 0);
    const auto bound = [&](int type) {
        const int socket = ::socket(AF_INET, type, 0);
        return socket < 0 ? kNoWorker : outcome(::bind(socket, address->data(), address->size()));
    };
    EXPECT_EQ(worker([&] { return bound(SOCK_STREAM); }), fails(EPERM));
    EXPECT_EQ(worker([&] { return bound(SOCK_DGRAM); }), fails(EPERM));
    EXPECT_EQ(worker([] { return outcome(::listen(::socket(AF_INET, SOCK_STREAM, 0), 1)); }),
              fails(EPERM));
}

TEST_P(SandboxTest, NoUnusualSockets)
{
    EXPECT_EQ(worker([] { return outcome(::socket(AF_NETLINK, SOCK_RAW, 0)); }), fails(EPERM));
    EXPECT_EQ(worker([] { return outcome(::socket(AF_PACKET, SOCK_DGRAM, 0)); }), fails(EPERM));
    EXPECT_EQ(worker([] { return outcome(::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)); }),
              fails(EPERM));
    EXPECT_EQ(worker([] { return outcome(::socket(AF_VSOCK, SOCK_STREAM, 0)); }), fails(EPERM));
}

TEST_P(SandboxTest, NoMemoryBecomesCode)
{
    constexpr std::size_t kPage = 4096;
    const auto map = [](int protection) {
        return ::mmap(nullptr, kPage, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    };
    EXPECT_EQ(
        worker([&] { return map(PROT_READ | PROT_WRITE | PROT_EXEC) == MAP_FAILED ? errno : 0; }),
        fails(EPERM));
    EXPECT_EQ(
        worker([&] {
            return outcome(::mprotect(map(PROT_READ | PROT_WRITE), kPage, PROT_READ | PROT_EXEC));
        }),
        fails(EPERM));
}

TEST_P(SandboxTest, NoRightsAreGained)
{
    EXPECT_EQ(worker([] { return outcome(::setuid(0)); }), fails(EPERM));
    EXPECT_EQ(worker([] { return outcome(::setgid(0)); }), fails(EPERM));
    EXPECT_EQ(worker([] { return outcome(::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)); }), fails(EPERM));
    EXPECT_EQ(worker([] {
                  const rlimit limit{1, 1};
                  return outcome(::setrlimit(RLIMIT_CORE, &limit));
              }),
              fails(EPERM));
}

// What a worker does all day.
TEST_P(SandboxTest, ThreadsBeginAndEnd)
{
    EXPECT_EQ(worker([] {
                  int result = 1;
                  std::thread([&] { result = 0; }).join();
                  return result;
              }),
              kWorks);
}

TEST_P(SandboxTest, AWorkerMaySignalAndAbortItself)
{
    EXPECT_EQ(worker([] { return outcome(::kill(::getpid(), 0)); }), kWorks);
    EXPECT_EQ(worker([]() -> int { std::abort(); }), Fate{.signal = SIGABRT});
}

TEST_P(SandboxTest, ConnectionsComeAndGo)
{
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_storage address{};
    address.ss_family = AF_INET;
    socklen_t size = sizeof(sockaddr_in);
    ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
    ASSERT_EQ(::listen(listener, 4), 0);
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    EXPECT_EQ(worker([&] {
                  const int client = ::socket(AF_INET, SOCK_STREAM, 0);
                  if (::connect(client, reinterpret_cast<sockaddr*>(&address), size) != 0) {
                      return errno;
                  }
                  return outcome(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
              }),
              kWorks);
    ::close(listener);
}

TEST_P(SandboxTest, UnixSocketsWithAPathCanBeReached)
{
    const auto address = SocketAddress::unix_path(folder_ + "socket");
    const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(::bind(listener, address.data(), address.size()), 0);
    ASSERT_EQ(::listen(listener, 4), 0);
    fs::permissions(folder_ + "socket", fs::perms(0777));
    EXPECT_EQ(worker([&] {
                  const int client = ::socket(AF_UNIX, SOCK_STREAM, 0);
                  return outcome(::connect(client, address.data(), address.size()));
              }),
              kWorks);
    ::close(listener);
}

TEST_P(SandboxTest, DnsIsReadyToBeAsked)
{
    for (const char* const path : {"/etc/resolv.conf", "/etc/hosts", "/dev/urandom"}) {
        if (fs::exists(path)) {
            EXPECT_EQ(worker([&] { return opens(path); }), kWorks) << path;
        }
    }
    EXPECT_EQ(worker([] { return outcome(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)); }),
              kWorks);
}

}  // namespace
}  // namespace postern::process
