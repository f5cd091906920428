#include "process/program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string_view>

#include "process/inheritance.h"

extern char** environ;

namespace postern::process {

namespace {

// Where the shell has found it, as an absolute path. The name and not the file that runs: another
// program may be put in its place, or a link be turned.
std::string find_program(const std::string& name)
{
    namespace fs = std::filesystem;
    std::error_code error;
    if (name.find('/') != std::string::npos) {
        return fs::absolute(name, error).string();
    }
    const char* const path = std::getenv("PATH");
    std::istringstream folders(path == nullptr ? "" : path);
    for (std::string folder; std::getline(folders, folder, ':');) {
        const fs::path file = fs::path(folder.empty() ? "." : folder) / name;
        if (::access(file.c_str(), X_OK) == 0 && fs::is_regular_file(file, error)) {
            return fs::absolute(file, error).string();
        }
    }
    return fs::read_symlink("/proc/self/exe", error).string();
}

// The environment of this process, but for what is said to it alone.
std::vector<std::string> environment_for(pid_t process, const std::string& sockets)
{
    std::vector<std::string> variables;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        if (!std::string_view(*variable).starts_with("WATCHDOG_PID=")) {
            variables.emplace_back(*variable);
        }
    }
    if (std::getenv("WATCHDOG_PID") != nullptr) {
        variables.push_back(fmt::format("WATCHDOG_PID={}", process));
    }
    variables.push_back(fmt::format("{}={}", kSocketsVariable, sockets));
    return variables;
}

std::vector<char*> pointers(std::vector<std::string>& texts)
{
    std::vector<char*> result;
    for (std::string& text : texts) {
        result.push_back(text.data());
    }
    result.push_back(nullptr);
    return result;
}

}  // namespace

Program::Program(int argc, char** argv)
    : path_(find_program(argv[0])), arguments_(argv, argv + argc)
{
}

std::expected<pid_t, std::string> Program::start_successor(
    const std::vector<listen::Socket>& sockets, const log::Logger& logger) const
{
    const pid_t pid = ::fork();
    if (pid < 0) {
        return std::unexpected("fork() failed while spawning \"new binary process\"" +
                               log::errno_text(errno));
    }
    if (pid > 0) {
        return pid;
    }
    std::string list;
    for (const listen::Socket& socket : sockets) {
        ::fcntl(socket.descriptor(), F_SETFD, 0);
        list += std::to_string(socket.descriptor());
        if (socket.is_activated()) {
            list += kActivatedMark;
        }
        list += ';';
    }
    std::vector<std::string> arguments = arguments_;
    std::vector<std::string> variables = environment_for(::getpid(), list);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execve(path_.c_str(), pointers(arguments).data(), pointers(variables).data());
    logger.line(LogLevel::alert, "execve() failed while executing new binary process \"{}\"{}",
                path_, log::errno_text(errno));
    ::_exit(2);
}

}  // namespace postern::process
