#include "process/signals.h"

#include <cerrno>
#include <cstring>
#include <string>

extern char** environ;

namespace postern::process {

namespace {

sigset_t handled()
{
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH, SIGCHLD,
                             SIGALRM, kLoopsEnded}) {
        sigaddset(&set, number);
    }
    return set;
}

char* title_begin = nullptr;
std::size_t title_size = 0;

}  // namespace

void block_signals()
{
    const sigset_t set = handled();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
}

Signal wait_for_signal(std::optional<std::chrono::steady_clock::time_point> limit)
{
    const sigset_t set = handled();
    siginfo_t info{};
    for (;;) {
        int number;
        if (limit && *limit != std::chrono::steady_clock::time_point::max()) {
            const auto left = *limit - std::chrono::steady_clock::now();
            if (left <= left.zero()) {
                return {};
            }
            const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
            const timespec time{seconds.count(), std::chrono::nanoseconds(left - seconds).count()};
            number = sigtimedwait(&set, &info, &time);
        } else {
            number = sigwaitinfo(&set, &info);
        }
        if (number > 0) {
            const bool sent = info.si_code == SI_USER || info.si_code == SI_QUEUE;
            return {number, sent ? info.si_pid : 0};
        }
        if (errno == EAGAIN) {
            return {};
        }
    }
}

std::string_view signal_name(int number)
{
    switch (number) {
    case SIGTERM:
        return "SIGTERM";
    case SIGINT:
        return "SIGINT";
    case SIGQUIT:
        return "SIGQUIT";
    case SIGHUP:
        return "SIGHUP";
    case SIGUSR1:
        return "SIGUSR1";
    case SIGUSR2:
        return "SIGUSR2";
    case SIGWINCH:
        return "SIGWINCH";
    case SIGCHLD:
        return "SIGCHLD";
    default:
        return "SIGALRM";
    }
}

// The kernel shows the memory where argv and the environment lie one behind the other.
void keep_title_space(int argc, char** argv)
{
    char* end = argv[0];
    for (int i = 0; i < argc; ++i) {
        if (argv[i] == end) {
            end = argv[i] + std::strlen(argv[i]) + 1;
        }
    }
    static std::string* kept = nullptr;  // the environment moves away for good
    std::size_t count = 0;
    while (environ[count] != nullptr) {
        ++count;
    }
    kept = new std::string[count];
    for (std::size_t i = 0; i < count; ++i) {
        if (environ[i] == end) {
            end = environ[i] + std::strlen(environ[i]) + 1;
        }
        kept[i] = environ[i];
        environ[i] = kept[i].data();
    }
    title_begin = argv[0];
    title_size = static_cast<std::size_t>(end - argv[0]);
}

void set_title(std::string_view title)
{
    if (title_size == 0) {
        return;
    }
    const std::string text = "postern: " + std::string(title);
    const std::size_t size = std::min(text.size(), title_size - 1);
    std::memset(title_begin, 0, title_size);
    std::memcpy(title_begin, text.data(), size);
}

}  // namespace postern::process
