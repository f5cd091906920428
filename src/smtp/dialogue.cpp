#include "smtp/dialogue.h"

#include <utility>

#include "base/line.h"
#include "base/text.h"

namespace postern::smtp {

// With "smtp_greeting_delay", whoever talks before we do is no mail client.
net::Task<bool> Dialogue::greet()
{
    log().set_action("sending client greeting line");
    if (settings().smtp_greeting_delay.count() > 0) {
        net::Deadline delay(client().deadline().loop());
        delay.set(settings().smtp_greeting_delay);
        net::Conversation early(client().stream(), delay, settings().smtp_client_buffer);
        bool talks = false;
        try {
            co_await early.fill();
            talks = true;
        } catch (const net::Disconnected& end) {
            if (end.reason != net::Disconnected::Reason::timed_out) {
                throw;
            }
        }
        if (talks) {
            log().set_action("in delay pipelining state");
            std::string text(early.unread());
            std::ranges::replace_if(text, [](char c) { return c == '\r' || c == '\n'; }, '_');
            log().line(LogLevel::info, "client was rejected before greeting: \"{}\"",
                       escape_for_log(text));
            client().restart(settings().timeout);
            co_await client().write(kTooEarly);
            co_return false;
        }
    }
    client().restart(settings().timeout);  // the delay does not count
    const std::string text = greeting(settings().server_name);
    co_await client().write(text);
    co_return true;
}

// Returns what the client claims to be, or whom it writes to. Whether that is true, and allowed, is
// for auth/ to find out.
net::Task<protocol::Request> Dialogue::authorize()
{
    log().set_action("in auth state");
    for (;;) {
        const std::optional<Line> line = co_await read_line();
        if (!line) {
            co_await client().write(kInvalid);
            co_return protocol::Goodbye{};
        }
        const auto command =
            line->has_stray_cr() ? std::optional<Command>() : parse_command(line->text);
        log_command(command ? to_string(command->verb) : "",
                    command ? command->arguments.size() : 0);
        if (command ? too_many_commands() : too_many_errors()) {
            co_await client().write(kInvalid);
            co_return protocol::Goodbye{};
        }
        if (!command) {
            co_await client().write(kInvalid);
            continue;
        }
        Answer result{.reply = {}};
        if (command->verb == Verb::auth) {
            result = co_await authenticate(*command);
        } else {
            result = answer(*command);
        }
        if (result.claim) {
            result.claim->smtp_helo = helo_;
            co_return std::move(*result.claim);
        }
        co_await client().write(result.reply);
        if (result.starts_tls) {
            co_return protocol::WantsTls{};
        }
        if (result.hang_up) {
            co_return protocol::Goodbye{};
        }
    }
}

Dialogue::Answer Dialogue::answer(const Command& command)
{
    const auto reply = [](std::string_view text) { return Answer{.reply = std::string(text)}; };
    switch (command.verb) {
    case Verb::helo:  // RFC 5321 section 4.1.1.1
    case Verb::ehlo: {
        if (!command.has_right_arguments()) {
            return reply(kInvalidArgument);
        }
        helo_ = command.arguments[0];
        mail_.clear();
        if (command.verb == Verb::helo) {
            return Answer{.reply = helo_reply(settings().server_name)};
        }
        extended_ = true;  // NGINX: a later HELO doesn't take it back
        return Answer{.reply = ehlo_reply(settings().server_name, settings().smtp_capabilities,
                                          settings().smtp_auth, protection())};
    }
    case Verb::mail:  // section 4.1.1.2
        return mail(command);
    case Verb::rcpt:  // section 4.1.1.3
        return recipient(command);
    case Verb::rset:  // section 4.1.1.5
        mail_.clear();
        return reply(kOk);
    case Verb::noop:  // section 4.1.1.9
        return reply(kOk);
    case Verb::quit:  // section 4.1.1.10
        return Answer{.reply = std::string(kBye), .hang_up = true};
    case Verb::starttls:  // RFC 3207 section 4
        return Answer{.reply = std::string(protection().offers_starttls() ? kStartTls : kInvalid),
                      .starts_tls = protection().offers_starttls()};
    case Verb::vrfy:
    case Verb::expn:
    case Verb::help:
        return reply(kInvalid);
    case Verb::auth:
        break;  // has an exchange of its own
    }
    std::unreachable();
}

// RFC 4954 section 4
net::Task<Dialogue::Answer> Dialogue::authenticate(const Command& command)
{
    Answer result{.reply = std::string(kInvalid)};
    if (!protection().may_authenticate()) {
        co_return result;
    }
    if (!command.has_right_arguments()) {
        result.reply = kInvalidArgument;
        co_return result;
    }
    const auto start = sasl::parse_start(command.arguments, settings().smtp_auth);
    if (!start) {
        co_return result;
    }
    const bool needs_challenge = start->mechanism == sasl::Mechanism::cram_md5;
    sasl::Exchange exchange(start->mechanism, needs_challenge ? challenge() : std::string());
    sasl::Step step = exchange.begin(start->initial_response);
    SaslEnd end = co_await run_sasl(start->mechanism, std::move(step), exchange, "334 ");
    result.claim = std::move(end.claim);
    result.hang_up = end.too_long;
    co_return result;
}

Dialogue::Answer Dialogue::mail(const Command& command)
{
    if (!settings().smtp_auth.none) {
        // NGINX: the end of the line is shown as "__".
        log().line(LogLevel::info, "client was rejected: \"{}__\"", escape_for_log(command.text));
        return Answer{.reply = std::string(kAuthRequired)};
    }
    if (!protection().may_authenticate()) {
        return Answer{.reply = std::string(kTlsRequired)};
    }
    if (!mail_.empty()) {
        return Answer{.reply = std::string(kBadSequence)};
    }
    if (!command.has_right_arguments()) {
        return Answer{.reply = std::string(kInvalidArgument)};
    }
    mail_ = command.text;
    return Answer{.reply = std::string(kOk)};
}

Dialogue::Answer Dialogue::recipient(const Command& command)
{
    if (mail_.empty()) {
        return Answer{.reply = std::string(kBadSequence)};
    }
    if (!command.has_right_arguments()) {
        return Answer{.reply = std::string(kInvalidArgument)};
    }
    Answer result{.reply = {}};
    result.claim.emplace();
    result.claim->method = auth::Method::none;
    result.claim->smtp_from = mail_;
    result.claim->smtp_to = command.text;
    return result;
}

net::Task<> Dialogue::refuse(const auth::Refusal& refusal)
{
    const std::string code = refusal.error_code.empty() ? "535 5.7.0" : refusal.error_code;
    const std::string reply = concat({code, " ", refusal.text, "\r\n"});
    co_await client().write(reply);
}

}  // namespace postern::smtp
