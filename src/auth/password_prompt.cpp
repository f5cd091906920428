#include "auth/password_prompt.h"

#include <fmt/format.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace postern::auth {

namespace {

volatile std::sig_atomic_t caught_signal = 0;

void catch_signal(int number)
{
    caught_signal = number;
}

// The terminal doesn't echo for as long as this lives. Signals that end the program are held back
// until its end: they only interrupt `wait`.
class NoEcho
{
public:
    explicit NoEcho(int terminal) : terminal_(terminal)
    {
        caught_signal = 0;
        struct sigaction action = {};
        action.sa_handler = catch_signal;
        sigemptyset(&action.sa_mask);
        sigset_t held_back;
        sigemptyset(&held_back);
        for (std::size_t i = 0; i < kSignals.size(); ++i) {
            sigaddset(&held_back, kSignals[i]);
            sigaction(kSignals[i], &action, &actions_before_[i]);
        }
        sigprocmask(SIG_BLOCK, &held_back, &mask_before_);
        works_ = tcgetattr(terminal_, &settings_before_) == 0;
        termios silent = settings_before_;
        silent.c_lflag &= ~tcflag_t(ECHO);
        silent.c_lflag |= ECHONL | ICANON | ISIG;
        // A stopped program would leave the shell without echo.
        silent.c_cc[VSUSP] = _POSIX_VDISABLE;
        works_ = works_ && tcsetattr(terminal_, TCSAFLUSH, &silent) == 0;
    }
    ~NoEcho()
    {
        if (works_) {
            tcsetattr(terminal_, TCSANOW, &settings_before_);
        }
        for (std::size_t i = 0; i < kSignals.size(); ++i) {
            sigaction(kSignals[i], &actions_before_[i], nullptr);
        }
        if (caught_signal != 0) {
            raise(caught_signal);
        }
        sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
    }
    NoEcho(const NoEcho&) = delete;
    NoEcho& operator=(const NoEcho&) = delete;

    bool works() const { return works_; }

    // Until a line has been typed; false when a signal came. ppoll(2) lets them in while it waits
    // and not a moment before, or one that came just ahead of it would be slept through.
    bool wait() const
    {
        pollfd terminal = {.fd = terminal_, .events = POLLIN, .revents = 0};
        return ppoll(&terminal, 1, nullptr, &mask_before_) >= 0 || caught_signal == 0;
    }

private:
    static constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

    int terminal_;
    bool works_ = false;
    termios settings_before_ = {};
    sigset_t mask_before_ = {};
    std::array<struct sigaction, kSignals.size()> actions_before_ = {};
};

std::unexpected<std::string> system_failure(const char* call)
{
    return std::unexpected(fmt::format("{} failed ({}: {})", call, errno, std::strerror(errno)));
}

// Byte by byte: what follows the line belongs to whoever reads next.
std::expected<Secret, std::string> read_line(int input)
{
    std::array<char, kPromptedMax> line;
    std::size_t size = 0;
    std::expected<Secret, std::string> result;
    for (;;) {
        char byte;
        const ssize_t count = read(input, &byte, 1);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            result = system_failure("read()");
            break;
        }
        if (count == 0 && size == 0) {
            result = std::unexpected(std::string("no password given"));
            break;
        }
        if (count == 0 || byte == '\n') {
            const bool has_cr = size > 0 && line[size - 1] == '\r';
            result = Secret({line.data(), has_cr ? size - 1 : size});
            break;
        }
        if (size == line.size()) {
            result =
                std::unexpected(fmt::format("the password is longer than {} bytes", kPromptedMax));
            break;
        }
        line[size++] = byte;
        wipe(&byte, 1);
    }
    wipe(line.data(), line.size());
    return result;
}

}  // namespace

std::expected<Secret, std::string> read_password(int input, const char* prompt, std::FILE* screen)
{
    if (isatty(input) == 0) {
        return read_line(input);
    }
    const NoEcho no_echo(input);
    if (!no_echo.works()) {
        return system_failure("tcsetattr()");
    }
    std::fputs(prompt, screen);
    std::fflush(screen);
    if (!no_echo.wait()) {
        return std::unexpected(std::string("interrupted"));
    }
    return read_line(input);
}

}  // namespace postern::auth
