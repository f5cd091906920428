#include "bench/backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/line.h"
#include "bench/acceptor.h"
#include "bench/mailbox.h"
#include "bench/outgoing.h"
#include "bench/sockets.h"

namespace postern::bench {

namespace {

constexpr std::size_t kLineMax = 65536;  // a client whose line is longer is sent away

// What all sessions share.
struct Shared {
    Poller poller;
    std::string input = std::string(kLineMax, '\0');
    std::string output;
};

// One connection; owns itself until either side ends it.
class Session final : public Watcher
{
public:
    Session(Shared& shared, Protocol protocol, Descriptor descriptor)
        : shared_(shared), descriptor_(std::move(descriptor)), mailbox_(protocol)
    {
        shared_.poller.add(descriptor_.number(), *this, EPOLLIN | EPOLLRDHUP);
        outgoing_.assign(mailbox_.greeting());
        if (!flush()) {
            ends_ = true;
            shutdown(descriptor_.number(), SHUT_RDWR);  // comes back as an event
        }
    }

    void on_ready(std::uint32_t events) override
    {
        const bool last = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
        if (!flush() || !read(last)) {
            delete this;
        }
    }

private:
    // Whether the connection lives on; `outgoing_` is empty if it needn't wait.
    bool flush()
    {
        switch (outgoing_.send(descriptor_.number())) {
        case Outgoing::Status::done:
            return !ends_;
        case Outgoing::Status::blocked:
            if (!watches_output_) {
                watches_output_ = true;
                shared_.poller.modify(descriptor_.number(), *this, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
            }
            return true;
        case Outgoing::Status::failed:
            break;
        }
        return false;
    }

    // Reads all that is there, unless an answer waits for the client; whether the connection
    // lives on. `last`: the client has ended its side.
    bool read(bool last)
    {
        while (outgoing_.empty()) {
            if (sink_left_ > 0) {
                if (const ssize_t result = receive(nullptr, sink_left_, MSG_TRUNC); result <= 0) {
                    return result < 0 && errno == EAGAIN;
                } else if (sink_left_ -= static_cast<std::uint64_t>(result); sink_left_ == 0) {
                    outgoing_.assign(closing_);
                    if (!flush()) {
                        return false;
                    }
                }
                continue;
            }
            if (has_more_) {
                if (!take({})) {
                    return false;
                }
                continue;
            }
            const ssize_t result = receive(shared_.input.data(), shared_.input.size(), 0);
            if (result <= 0) {
                return result < 0 && errno == EAGAIN;
            }
            const auto count = static_cast<std::size_t>(result);
            if (!take(std::string_view(shared_.input).substr(0, count))) {
                return false;
            }
            if (count < shared_.input.size() && !last && sink_left_ == 0 && !has_more_) {
                return true;  // there was no more: whatever comes now is a new event
            }
        }
        return true;
    }

    ssize_t receive(char* into, std::uint64_t most, int flags)
    {
        constexpr std::uint64_t kMost = 1 << 30;
        return recv(descriptor_.number(), into, std::min(most, kMost), flags);
    }

    // Answers the lines that are in `input`, up to one that moves data, and keeps the rest.
    bool take(std::string_view input)
    {
        if (!partial_.empty()) {
            partial_.append(input);
            input = partial_;
        }
        std::string& out = shared_.output;
        out.clear();
        Mailbox::Answer answer;
        has_more_ = false;
        while (!input.empty()) {
            if (const std::uint64_t literal = mailbox_.literal_left()) {
                const std::size_t here = std::min<std::uint64_t>(literal, input.size());
                mailbox_.on_literal(here);
                input.remove_prefix(here);
                continue;
            }
            const auto line = next_crlf_line(input);
            if (!line) {
                break;
            }
            answer = mailbox_.on_line(line->text, out);
            input.remove_prefix(line->consumed);
            if (answer.ends || !answer.closing.empty()) {
                has_more_ = true;
                break;
            }
        }
        const std::string_view::size_type swallowed =
            std::min<std::uint64_t>(answer.sink_bytes, input.size());
        input.remove_prefix(swallowed);
        partial_ = std::string(input);
        has_more_ = has_more_ && !partial_.empty();
        ends_ = answer.ends;
        sink_left_ = answer.sink_bytes - swallowed;
        const bool sinks = sink_left_ > 0;
        if (sinks) {
            closing_ = std::move(answer.closing);
        }
        outgoing_.assign(out, answer.filler_bytes, sinks ? std::string_view() : answer.closing);
        return flush() && partial_.size() <= kLineMax;
    }

    Shared& shared_;
    Descriptor descriptor_;
    Mailbox mailbox_;
    Outgoing outgoing_;
    std::string partial_;
    std::string closing_;  // said when the sink is full
    std::uint64_t sink_left_ = 0;
    bool has_more_ = false;  // than what has been answered in `partial_`
    bool watches_output_ = false;
    bool ends_ = false;
};

}  // namespace

void run_backend(const BackendOptions& options)
{
    raise_descriptor_limit();
    Shared shared;
    const auto acceptor = [&](Protocol protocol) {
        const auto serve = [&shared, protocol](Descriptor accepted) {
            new Session(shared, protocol, std::move(accepted));
        };
        const std::uint16_t port = options.ports[static_cast<std::size_t>(protocol)];
        return Acceptor<decltype(serve)>(shared.poller, port, serve);
    };
    const auto imap = acceptor(Protocol::imap);
    const auto pop3 = acceptor(Protocol::pop3);
    const auto smtp = acceptor(Protocol::smtp);
    for (;;) {
        shared.poller.wait();
    }
}

}  // namespace postern::bench
