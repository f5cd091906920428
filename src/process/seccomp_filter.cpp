#include "process/seccomp_filter.h"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>
#include <memory>
#include <type_traits>

#include "log/logger.h"

namespace postern::process {

namespace {

// No argument of these can do harm. A name that an architecture doesn't have is skipped.
constexpr int kAllowed[] = {
    // Descriptors. No lseek, pwrite or ftruncate: of a log file only the end can be written.
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(pread64),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(close),
    SCMP_SYS(dup),
    SCMP_SYS(dup3),
    SCMP_SYS(pipe2),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(eventfd2),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    // What there is in the file system: Landlock says which files can be opened.
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(getdents64),
    // Connections
    SCMP_SYS(connect),
    SCMP_SYS(accept4),
    SCMP_SYS(shutdown),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(getsockopt),
    SCMP_SYS(sendto),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendmsg),
    SCMP_SYS(recvmsg),
    // Memory
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    // Threads
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(futex),
    SCMP_SYS(membarrier),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(getcpu),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    // Signals
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall),
    // Time and chance
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(getrandom),
    // Who we are
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getppid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
    SCMP_SYS(getrlimit),
    SCMP_SYS(getrusage),
};

// Ways out. Nothing that a worker is linked with makes these by chance.
constexpr int kDeadly[] = {
    // Another program, or another process
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(process_madvise),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(kcmp),
    SCMP_SYS(personality),
    // Another view of the system
    SCMP_SYS(mount),
    SCMP_SYS(umount),
    SCMP_SYS(umount2),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsmount),
    SCMP_SYS(fsconfig),
    SCMP_SYS(fspick),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    SCMP_SYS(mount_setattr),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(name_to_handle_at),
    // Large and often attacked parts of the kernel
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(memfd_create),
    // The system itself
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(reboot),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
    SCMP_SYS(quotactl),
    SCMP_SYS(acct),
};

// A library that is told that there is no such call goes on with an older one that is allowed, and
// whose arguments can be looked at.
constexpr int kAbsent[] = {
    SCMP_SYS(clone3),
    SCMP_SYS(openat2),
    SCMP_SYS(close_range),
    SCMP_SYS(faccessat2),
};

struct Release {
    void operator()(scmp_filter_ctx context) const { seccomp_release(context); }
};

// The filter while it is made; remembers the first failure.
class Filter
{
public:
    Filter() : context_(seccomp_init(SCMP_ACT_ERRNO(EPERM)))
    {
        if (!context_) {
            result_ = -ENOMEM;
            return;
        }
        check(seccomp_attr_set(context_.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS));
        // Sorted by number, so that no call has to pass more than a few comparisons.
        check(seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2));
    }

    // Several conditions: all have to hold. Several rules: any.
    void add(std::uint32_t action, int call, std::initializer_list<scmp_arg_cmp> conditions = {})
    {
        if (context_) {
            check(seccomp_rule_add_array(context_.get(), action, call,
                                         static_cast<unsigned>(conditions.size()),
                                         conditions.begin()));
        }
    }
    void allow(int call, std::initializer_list<scmp_arg_cmp> conditions = {})
    {
        add(SCMP_ACT_ALLOW, call, conditions);
    }

    // 0, or a negative error number.
    int load()
    {
        if (result_ == 0) {
            check(seccomp_load(context_.get()));
        }
        return result_;
    }

private:
    void check(int result) { result_ = result_ == 0 ? result : result_; }

    std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, Release> context_;
    int result_ = 0;
};

using Value = scmp_datum_t;

constexpr Value kInt = 0xffffffff;  // the kernel looks at no more of an int

// Of the bits in `mask` exactly those of `value` are set.
scmp_arg_cmp has_bits(unsigned argument, Value mask, Value value)
{
    return {argument, SCMP_CMP_MASKED_EQ, mask, value};
}

scmp_arg_cmp equals(unsigned argument, int value)
{
    return has_bits(argument, kInt, static_cast<unsigned>(value));
}

scmp_arg_cmp is_null(unsigned argument)
{
    return {argument, SCMP_CMP_EQ, 0, 0};
}

// Only to read what is there.
void allow_opening(Filter& filter)
{
    constexpr Value kWrites = O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY);
    filter.allow(SCMP_SYS(open), {has_bits(1, kWrites, O_RDONLY)});
    filter.allow(SCMP_SYS(openat), {has_bits(2, kWrites, O_RDONLY)});
}

// No memory becomes code.
void allow_memory(Filter& filter)
{
    filter.allow(SCMP_SYS(mmap), {has_bits(2, PROT_EXEC, 0)});
    filter.allow(SCMP_SYS(mprotect), {has_bits(2, PROT_EXEC, 0)});
}

// Threads, in the namespaces that there are; no process.
void allow_threads(Filter& filter)
{
    constexpr Value kNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                  CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
    constexpr Value kThread = CLONE_THREAD;
    filter.allow(SCMP_SYS(clone), {has_bits(0, kThread | kNamespaces, kThread)});
    filter.add(SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), {has_bits(0, kThread, 0)});
    filter.allow(SCMP_SYS(sched_setaffinity), {equals(0, 0)});
    filter.allow(SCMP_SYS(prlimit64), {is_null(2)});  // tells the limits, sets none
    filter.allow(SCMP_SYS(prctl), {equals(0, PR_SET_NAME)});
}

void allow_signals_to_itself(Filter& filter)
{
    const int self = ::getpid();
    filter.allow(SCMP_SYS(kill), {equals(0, self)});
    filter.allow(SCMP_SYS(tgkill), {equals(0, self)});
}

// TCP, UDP and UNIX sockets; none that listens.
void allow_sockets(Filter& filter)
{
    constexpr Value kType = kInt & ~Value{SOCK_CLOEXEC | SOCK_NONBLOCK};
    for (const int family : {AF_INET, AF_INET6, AF_UNIX}) {
        for (const Value type : {SOCK_STREAM, SOCK_DGRAM}) {
            filter.allow(SCMP_SYS(socket), {equals(0, family), has_bits(1, kType, type)});
        }
    }
    for (const int level : {SOL_SOCKET, int{IPPROTO_TCP}}) {
        filter.allow(SCMP_SYS(setsockopt), {equals(1, level)});
    }
}

void allow_controls(Filter& filter)
{
    for (const int command : {F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL,
                              F_SETPIPE_SZ, F_GETPIPE_SZ}) {
        filter.allow(SCMP_SYS(fcntl), {equals(1, command)});
    }
    // SIOCGIFINDEX: the scope of a DNS server's link-local address.
    for (const int request : {FIONREAD, FIONBIO, TCGETS, SIOCGIFINDEX}) {
        filter.allow(SCMP_SYS(ioctl), {equals(1, request)});
    }
    // No offsets: nothing goes anywhere but to the end of a file.
    filter.allow(SCMP_SYS(splice), {is_null(1), is_null(3)});
}

}  // namespace

bool seccomp_is_built_in()
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
    return false;
#else
    return true;
#endif
#else
    return true;
#endif
}

bool kernel_has_seccomp()
{
    const std::uint32_t action = SECCOMP_RET_KILL_PROCESS;
    return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

std::expected<void, std::string> load_seccomp_filter()
{
    Filter filter;
    for (const int call : kAllowed) {
        filter.allow(call);
    }
    for (const int call : kDeadly) {
        filter.add(SCMP_ACT_KILL_PROCESS, call);
    }
    for (const int call : kAbsent) {
        filter.add(SCMP_ACT_ERRNO(ENOSYS), call);
    }
    allow_opening(filter);
    allow_memory(filter);
    allow_threads(filter);
    allow_signals_to_itself(filter);
    allow_sockets(filter);
    allow_controls(filter);
    if (const int result = filter.load(); result != 0) {
        return std::unexpected("seccomp_load() failed" + log::errno_text(-result));
    }
    return {};
}

}  // namespace postern::process
