#include "bench/auth_service.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "bench/acceptor.h"

namespace postern::bench {

namespace {

constexpr std::size_t kRequestMax = 16384;
constexpr Directory::Answer kBadRequest{
    "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", true};

// The value of a header field; "" without.
std::string_view field(std::string_view request, std::string_view name)
{
    std::size_t at = 0;
    while ((at = request.find("\r\n", at)) != std::string_view::npos) {
        at += 2;
        if (request.size() > at + name.size() && request[at + name.size()] == ':' &&
            iequals(request.substr(at, name.size()), name)) {
            const std::size_t begin = at + name.size() + 1;
            return trim(request.substr(begin, request.find("\r\n", begin) - begin));
        }
    }
    return {};
}

}  // namespace

Directory::Directory(const Ports& mailbox_ports)
{
    for (std::size_t i = 0; i < kProtocols; ++i) {
        const auto text = [&](std::string_view connection) {
            return fmt::format(
                "HTTP/1.1 200 OK\r\nAuth-Status: OK\r\nAuth-Server: 127.0.0.1\r\nAuth-Port: {}\r\n"
                "{}Content-Length: 0\r\n\r\n",
                mailbox_ports[i], connection);
        };
        texts_[i] = {text("Connection: close\r\n"), text(""), text("Connection: keep-alive\r\n")};
    }
}

Directory::Answer Directory::answer(std::string_view request) const
{
    const std::string_view first = request.substr(0, request.find("\r\n"));
    const bool is_1_1 = first.ends_with(" HTTP/1.1");
    if (!first.starts_with("GET ") || (!is_1_1 && !first.ends_with(" HTTP/1.0"))) {
        return kBadRequest;
    }
    const auto found = std::ranges::find(kProtocolNames, field(request, "Auth-Protocol"));
    if (found == kProtocolNames.end()) {
        return kBadRequest;
    }
    const Texts& texts = texts_[static_cast<std::size_t>(found - kProtocolNames.begin())];
    const std::string_view connection = field(request, "Connection");
    if (is_1_1) {
        return iequals(connection, "close") ? Answer{texts.closing, true}
                                            : Answer{texts.kept, false};
    }
    return iequals(connection, "keep-alive") ? Answer{texts.kept_1_0, false}
                                             : Answer{texts.closing, true};
}

namespace {

struct Shared {
    Poller poller;
    Directory directory;
    std::string input = std::string(kRequestMax, '\0');
};

// One connection; owns itself until either side ends it.
class Session final : public Watcher
{
public:
    Session(Shared& shared, Descriptor descriptor)
        : shared_(shared), descriptor_(std::move(descriptor))
    {
        shared_.poller.add(descriptor_.number(), *this, EPOLLIN | EPOLLRDHUP);
    }

    void on_ready(std::uint32_t events) override
    {
        const bool last = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
        if (!read(last)) {
            delete this;
        }
    }

private:
    // Whether the connection lives on.
    bool read(bool last)
    {
        std::string& input = shared_.input;
        for (;;) {
            const ssize_t result = recv(descriptor_.number(), input.data(), input.size(), 0);
            if (result <= 0) {
                return result < 0 && errno == EAGAIN;
            }
            const auto count = static_cast<std::size_t>(result);
            if (!take(std::string_view(input).substr(0, count))) {
                return false;
            }
            if (count < input.size() && !last) {
                return true;
            }
        }
    }

    bool take(std::string_view input)
    {
        constexpr std::string_view kEnd = "\r\n\r\n";
        if (!partial_.empty()) {
            partial_.append(input);
            input = partial_;
        }
        std::size_t end;
        while ((end = input.find(kEnd)) != std::string_view::npos) {
            const Directory::Answer answer =
                shared_.directory.answer(input.substr(0, end + kEnd.size()));
            const auto sent =
                send(descriptor_.number(), answer.text.data(), answer.text.size(), MSG_NOSIGNAL);
            // Somebody who doesn't read a few hundred bytes is no proxy.
            if (answer.closes || sent != static_cast<ssize_t>(answer.text.size())) {
                return false;
            }
            input.remove_prefix(end + kEnd.size());
        }
        partial_ = std::string(input);
        return partial_.size() < kRequestMax;
    }

    Shared& shared_;
    Descriptor descriptor_;
    std::string partial_;
};

}  // namespace

void run_auth_service(const AuthOptions& options)
{
    raise_descriptor_limit();
    Shared shared{.directory = Directory(options.mailbox_ports)};
    const auto serve = [&shared](Descriptor accepted) { new Session(shared, std::move(accepted)); };
    const Acceptor<decltype(serve)> acceptor(shared.poller, options.port, serve);
    for (;;) {
        shared.poller.wait();
    }
}

}  // namespace postern::bench
