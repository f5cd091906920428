#include "protocol/upstream.h"

#include "base/text.h"
#include "protocol/foreign_words.h"

namespace postern::protocol {

net::Task<bool> Upstream::read_more()
{
    if (talk().full()) {
        log_.line(LogLevel::error, "upstream sent too long response line: {}", shown(unread()));
        co_return false;
    }
    // NGINX: it is this only once something has come; before that it is what was done last.
    constexpr const char* kReading = "reading response from upstream";
    try {
        co_await talk().fill();
        log_.set_action(kReading);
    } catch (const net::Disconnected& end) {
        if (end.reason != net::Disconnected::Reason::timed_out) {
            log_.set_action(kReading);
        }
        throw;
    }
    log_.debug("upstream has sent {} bytes that are not read yet", unread().size());
    co_return true;
}

net::Task<std::optional<std::string>> Upstream::ask_for_tls(std::string_view command)
{
    log_.set_action("sending STARTTLS to upstream");
    if (!backend_.is_silent()) {
        co_return std::string(internal_error_);
    }
    co_await talk().write(command);
    co_return std::nullopt;
}

net::Task<std::optional<std::string>> Upstream::start_tls()
{
    const bool is_protected = co_await backend_.start_tls();
    if (!is_protected) {
        co_return std::string(internal_error_);
    }
    co_return std::nullopt;
}

std::string Upstream::unexpected_reply(std::size_t bytes)
{
    const std::string_view reply = unread().substr(0, bytes);
    // What is said in clear text where TLS is wanted may be anybody's: no client gets to read it.
    const bool pass = settings_.proxy_pass_error_message && !wants_starttls();
    log_.line(pass ? LogLevel::info : LogLevel::error, "upstream sent invalid response: {}",
              shown(trim(reply, "\r\n")));
    return std::string(pass ? reply : internal_error_);
}

std::string Upstream::shown(std::string_view words) const
{
    return foreign_words(words,
                         {{mailbox_.login, mailbox_.password}, {claim_.login, claim_.password}});
}

std::string Upstream::failed(std::string_view why)
{
    log_.write(LogLevel::error, why);
    return std::string(internal_error_);
}

}  // namespace postern::protocol
