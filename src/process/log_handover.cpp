#include "process/log_handover.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <optional>
#include <string_view>

namespace postern::process {

namespace {

// A worker reads at once, unless it is stopped or hostile.
constexpr int kSendLimitMilliseconds = 1000;

// Room for the one descriptor of a message.
union Control {
    cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
};

bool send_file(int socket, const std::string& path, int file)
{
    iovec text{const_cast<char*>(path.data()), path.size()};
    Control control{};
    msghdr message{};
    message.msg_iov = &text;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof file);
    std::memcpy(CMSG_DATA(header), &file, sizeof file);
    return ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

struct Received {
    std::string path;
    Descriptor file;
};

// Nothing if no message is there. One without a descriptor (this process has too many open) has the
// descriptor -1.
std::optional<Received> receive_file(int socket)
{
    char path[PATH_MAX];
    iovec text{path, sizeof path};
    Control control{};
    msghdr message{};
    message.msg_iov = &text;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    const ssize_t size = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size <= 0) {
        return std::nullopt;
    }
    int file = -1;
    const cmsghdr* const header = CMSG_FIRSTHDR(&message);
    if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof file)) {
        std::memcpy(&file, CMSG_DATA(header), sizeof file);
    }
    return Received{std::string(path, static_cast<std::size_t>(size)), Descriptor(file)};
}

}  // namespace

void LogSender::send(log::Targets& targets, pid_t worker, const log::Logger& logger) const
{
    for (const log::Targets::OpenFile& file : targets.files()) {
        bool sent = send_file(socket_.number(), file.path, file.descriptor);
        if (!sent && errno == EAGAIN) {
            ::kill(worker, SIGUSR1);
            pollfd room{.fd = socket_.number(), .events = POLLOUT, .revents = 0};
            if (::poll(&room, 1, kSendLimitMilliseconds) == 0) {
                logger.line(LogLevel::alert,
                            "worker process {} does not take the log files that were opened anew, "
                            "it goes on with \"{}\" as it was",
                            worker, file.path);
                return;
            }
            sent = send_file(socket_.number(), file.path, file.descriptor);
        }
        if (!sent && errno != EPIPE && errno != ECONNRESET) {
            logger.line(LogLevel::alert, "sendmsg() of \"{}\" to worker process {} failed{}",
                        file.path, worker, log::errno_text(errno));
        }
    }
}

std::vector<std::string> LogReceiver::receive(log::Targets& targets) const
{
    std::vector<std::string> problems;
    while (const auto received = receive_file(socket_.number())) {
        std::string problem = received->file.number() < 0
                                  ? fmt::format("no descriptor came with \"{}\"", received->path)
                                  : targets.replace_file(received->path, received->file.number());
        if (!problem.empty()) {
            problems.push_back(std::move(problem));
        }
    }
    return problems;
}

std::expected<LogHandover, std::string> make_log_handover()
{
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return std::unexpected("socketpair() failed" + log::errno_text(errno));
    }
    LogHandover handover{LogSender(Descriptor(ends[0])), LogReceiver(Descriptor(ends[1]))};
    // The worker says nothing here, and may not fill the kernel's memory with what nobody reads.
    if (::shutdown(ends[0], SHUT_RD) != 0) {
        return std::unexpected("shutdown() failed" + log::errno_text(errno));
    }
    return handover;
}

}  // namespace postern::process
