#include "bench/session.h"

#include <fmt/format.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/line.h"
#include "base/text.h"
#include "bench/sockets.h"

namespace postern::bench {

namespace {

constexpr std::size_t kInputBytes = 256 * 1024;
constexpr std::size_t kLineMax = 16384;
constexpr std::size_t kShownBytes = 200;  // of an answer that was not expected
constexpr std::uint32_t kEvents = EPOLLIN | EPOLLRDHUP;

std::string shown(std::string_view text)
{
    return '"' + escape_for_log(text, kShownBytes) + '"';
}

std::string system_text(const char* what)
{
    return fmt::format("{}: {}", what, std::strerror(errno));
}

std::string tls_text(const char* what)
{
    const std::string system = system_text(what);  // what errno says, if OpenSSL says nothing
    const std::string errors = tls::take_errors();
    return errors.empty() ? system : what + errors;
}

}  // namespace

Session::Shared::Shared(const LoadOptions& all_options, Poller& all_poller, Owner& all_owner)
    : options(all_options),
      poller(all_poller),
      owner(all_owner),
      tls(all_options.resume),
      input(kInputBytes, '\0')
{
}

void Session::open()
{
    close();
    doing_ = Doing::login;
    since_ = Clock::now();
    Outcome outcome = Outcome::waits;
    try {
        descriptor_ = connect_to(shared_.options.port);
        shared_.poller.add(descriptor_.number(), *this, kEvents);
        begin_step(script_.front());
        if (shared_.options.tls == Tls::implicit) {
            outcome = begin_tls();
        }
    } catch (const std::system_error& error) {
        outcome = fail(error.what());
    }
    if (outcome == Outcome::failed) {
        report_failure();
    }
}

void Session::ask(const Step& step)
{
    doing_ = Doing::answer;
    since_ = Clock::now();
    if (begin_step(step) == Outcome::failed) {
        report_failure();
    }
}

void Session::close()
{
    if (ssl_ && !handshaking_) {
        SSL_shutdown(ssl_.get());  // says that we go, and doesn't wait for an answer
    }
    drop();
}

void Session::drop()
{
    ssl_.reset();
    descriptor_ = Descriptor();
    doing_ = Doing::nothing;
    handshaking_ = resumed_ = open_ = watches_output_ = false;
    outgoing_.assign({});
    partial_.clear();
}

void Session::report_failure()
{
    const bool was_open = open_;
    drop();
    shared_.owner.on_failure(*this, why_, was_open);
}

void Session::on_ready(std::uint32_t events)
{
    // An event of a connection that was closed meanwhile finds none, or a new one with nothing to
    // read.
    const bool last = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    while (descriptor_.number() >= 0 && settle(last)) {
        // What the next answer needs may have been read together with the last one.
        if (!waits() || handshaking_ || !ssl_ || SSL_has_pending(ssl_.get()) != 1) {
            return;
        }
    }
}

// Goes on until there is nothing more to do. Whether what it did has come to an end, which the
// owner knows then.
bool Session::settle(bool last)
{
    Outcome outcome = Outcome::goes_on;
    while (outcome == Outcome::goes_on) {
        outcome = advance(last);
    }
    if (outcome == Outcome::waits) {
        return false;
    }
    if (outcome == Outcome::failed) {
        report_failure();
        return true;
    }
    const bool logged_in = doing_ == Doing::login;
    doing_ = Doing::nothing;
    if (logged_in) {
        open_ = true;
        shared_.owner.on_open(*this);
    } else {
        shared_.owner.on_answer(*this);
    }
    return true;
}

Session::Outcome Session::advance(bool last)
{
    if (handshaking_) {
        return handshake();
    }
    if (!outgoing_.empty() && flush() == Outcome::failed) {
        return Outcome::failed;
    }
    bool drained = false;  // the socket, of what was there when the event came
    const Outcome outcome =
        filler_left_ > 0 && waits() ? read_filler(drained) : read_lines(drained);
    return outcome == Outcome::goes_on && drained && !last ? Outcome::waits : outcome;
}

Session::Outcome Session::begin_tls()
{
    ssl_ = shared_.tls.connect(descriptor_.number(), ticket_);
    handshaking_ = true;
    return handshake();
}

Session::Outcome Session::handshake()
{
    const bool has_ticket = ticket_ != nullptr;
    const int result = SSL_do_handshake(ssl_.get());
    if (result != 1) {
        switch (SSL_get_error(ssl_.get(), result)) {
        case SSL_ERROR_WANT_READ:
            return Outcome::waits;
        case SSL_ERROR_WANT_WRITE:
            wait_for_output();
            return Outcome::waits;
        default:
            return fail(tls_text("handshake failed"));
        }
    }
    handshaking_ = false;
    resumed_ = SSL_session_reused(ssl_.get()) == 1;
    if (has_ticket && !resumed_) {
        ticket_.reset();
        return fail("the TLS session was not resumed");
    }
    return flush() == Outcome::failed ? Outcome::failed : Outcome::goes_on;
}

Session::Outcome Session::begin_step(const Step& step)
{
    step_ = &step;
    filler_left_ = step.filler_down;
    outgoing_.assign(step.command, step.filler_up, {}, step.mark);
    return outgoing_.empty() ? Outcome::done : flush();
}

// Writes what there is to write. `done`, or `waits` if the socket takes no more.
Session::Outcome Session::flush()
{
    const std::uint64_t before = outgoing_.filler_left();
    Outcome outcome = Outcome::done;
    if (!ssl_) {
        switch (outgoing_.send(descriptor_.number())) {
        case Outgoing::Status::done:
            break;
        case Outgoing::Status::blocked:
            wait_for_output();
            outcome = Outcome::waits;
            break;
        case Outgoing::Status::failed:
            return fail(system_text("send()"));
        }
    } else {
        while (!outgoing_.empty() && outcome == Outcome::done) {
            const std::string_view next = outgoing_.next();
            const int result = SSL_write(ssl_.get(), next.data(), static_cast<int>(next.size()));
            if (result > 0) {
                outgoing_.sent(static_cast<std::uint64_t>(result));
                continue;
            }
            const int error = SSL_get_error(ssl_.get(), result);
            if (error != SSL_ERROR_WANT_WRITE && error != SSL_ERROR_WANT_READ) {
                return fail(tls_text("SSL_write() failed"));
            }
            wait_for_output();
            outcome = Outcome::waits;
        }
    }
    if (const std::uint64_t gone = before - outgoing_.filler_left()) {
        shared_.owner.on_bytes(gone);
    }
    return outcome;
}

void Session::wait_for_output()
{
    if (!watches_output_) {
        watches_output_ = true;
        shared_.poller.modify(descriptor_.number(), *this, kEvents | EPOLLOUT);
    }
}

// Without TLS filler is not even copied, unless it is marked: the kernel throws it away.
Session::Outcome Session::read_filler(bool& drained)
{
    constexpr std::uint64_t kMost = 1 << 30;
    const bool is_read = ssl_ || step_->mark;
    const std::uint64_t wanted = std::min(filler_left_, is_read ? kInputBytes : kMost);
    const Received received =
        receive(is_read ? shared_.input.data() : nullptr, wanted, is_read ? 0 : MSG_TRUNC);
    if (received.outcome == Outcome::goes_on) {
        const std::string_view bytes(shared_.input.data(), is_read ? received.bytes : 0);
        const std::uint64_t position = step_->filler_down - filler_left_;
        if (step_->mark && find_wrong_mark(*step_->mark, position, bytes)) {
            return fail("got another stream than what was asked for: " + shown(bytes));
        }
        filler_left_ -= received.bytes;
        drained = !ssl_ && received.bytes < wanted;
        shared_.owner.on_bytes(received.bytes);
    }
    return received.outcome;
}

Session::Outcome Session::read_lines(bool& drained)
{
    std::string& input = shared_.input;
    const Received received = receive(input.data(), input.size(), 0);
    if (received.outcome != Outcome::goes_on) {
        return received.outcome;
    }
    drained = !ssl_ && received.bytes < input.size();
    return take(std::string_view(input).substr(0, received.bytes));
}

Session::Received Session::receive(char* into, std::uint64_t most, int flags)
{
    if (ssl_) {
        return receive_tls(into, most);
    }
    const ssize_t result = recv(descriptor_.number(), into, most, flags);
    if (result > 0) {
        return {Outcome::goes_on, static_cast<std::uint64_t>(result)};
    }
    if (result < 0 && errno == EAGAIN) {
        return {Outcome::waits};
    }
    return {fail(result < 0 ? system_text("recv()") : "connection closed")};
}

Session::Received Session::receive_tls(char* into, std::uint64_t most)
{
    const int result = SSL_read(ssl_.get(), into, static_cast<int>(most));
    if (result > 0) {
        return {Outcome::goes_on, static_cast<std::uint64_t>(result)};
    }
    switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
        return {Outcome::waits};
    case SSL_ERROR_WANT_WRITE:
        wait_for_output();
        return {Outcome::waits};
    case SSL_ERROR_ZERO_RETURN:
        return {fail("connection closed")};
    default:
        return {fail(tls_text("SSL_read() failed"))};
    }
}

// What was read, up to the end of the step: whatever is behind that has not been asked for.
Session::Outcome Session::take(std::string_view input)
{
    if (!waits()) {
        return fail("got " + shown(input) + " without having asked");
    }
    if (!partial_.empty()) {
        partial_.append(input);
    }
    std::string_view left = partial_.empty() ? input : partial_;
    while (const auto line = next_crlf_line(left)) {
        left.remove_prefix(line->consumed);
        const Outcome outcome = take_line(line->text, left.empty());
        if (outcome != Outcome::goes_on || left.empty()) {
            partial_.clear();
            return outcome;
        }
    }
    partial_ = std::string(left);
    return partial_.size() > kLineMax ? fail("line too long: " + shown(partial_))
                                      : Outcome::goes_on;
}

Session::Outcome Session::take_line(std::string_view line, bool is_end)
{
    const Step& step = *step_;
    if (!line.starts_with(step.last)) {
        if (!step.more.empty() && line.starts_with(step.more)) {
            return Outcome::goes_on;
        }
        return fail("got " + shown(line) + " instead of " + shown(step.last));
    }
    if (!is_end) {
        return fail("got more than the answer " + shown(line));
    }
    if (!outgoing_.empty()) {
        return fail("got " + shown(line) + " before all was sent");
    }
    if (doing_ == Doing::answer) {
        return Outcome::done;
    }
    if (&step == &script_.back()) {
        if (shared_.options.resume && !ticket_) {
            return fail("no TLS session ticket came");
        }
        return Outcome::done;
    }
    const Step* next = &step + 1;
    if (step.then_tls) {
        // Its command is sent when the handshake is over.
        step_ = next;
        outgoing_.assign(next->command);
        return begin_tls();
    }
    return begin_step(*next) == Outcome::failed ? Outcome::failed : Outcome::goes_on;
}

Session::Outcome Session::fail(std::string why)
{
    why_ = std::move(why);
    return Outcome::failed;
}

}  // namespace postern::bench
