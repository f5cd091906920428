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
                const ssize_t result = answer_.mark
                                           ? receive(shared_.input.data(),
                                                     std::min(sink_left_, shared_.input.size()), 0)
                                           : receive(nullptr, sink_left_, MSG_TRUNC);
                if (result <= 0) {
                    return result < 0 && errno == EAGAIN;
                }
                swallow({shared_.input.data(), static_cast<std::size_t>(result)});
                if (sink_left_ == 0) {
                    outgoing_.assign(is_wrong_ ? answer_.refusal : answer_.closing);
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

    // What was sent for the sink.
    void swallow(std::string_view bytes)
    {
        const std::uint64_t position = answer_.sink_bytes - sink_left_;
        is_wrong_ = is_wrong_ ||
                    (answer_.mark && find_wrong_mark(*answer_.mark, position, bytes).has_value());
        sink_left_ -= bytes.size();
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
        answer_ = {};
        is_wrong_ = has_more_ = false;
        while (!input.empty()) {
            if (const std::uint64_t literal = mailbox_.literal_left()) {
                const std::size_t here = std::min<std::uint64_t>(literal, input.size());
                mailbox_.on_literal(input.substr(0, here));
                input.remove_prefix(here);
                continue;
            }
            const auto line = next_crlf_line(input);
            if (!line) {
                break;
            }
            answer_ = mailbox_.on_line(line->text, out);
            input.remove_prefix(line->consumed);
            if (answer_.ends || !answer_.closing.empty()) {
                has_more_ = true;
                break;
            }
        }
        sink_left_ = answer_.sink_bytes;
        const std::size_t here = std::min<std::uint64_t>(sink_left_, input.size());
        swallow(input.substr(0, here));
        input.remove_prefix(here);
        partial_ = std::string(input);
        has_more_ = has_more_ && !partial_.empty();
        ends_ = answer_.ends;
        const std::string_view closing = is_wrong_ ? answer_.refusal : answer_.closing;
        outgoing_.assign(out, answer_.filler_bytes, sink_left_ > 0 ? "" : closing, answer_.mark);
        return flush() && partial_.size() <= kLineMax;
    }

    Shared& shared_;
    Descriptor descriptor_;
    Mailbox mailbox_;
    Outgoing outgoing_;
    std::string partial_;
    Mailbox::Answer answer_;  // to what was asked last
    std::uint64_t sink_left_ = 0;
    bool is_wrong_ = false;  // of what was sent
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
