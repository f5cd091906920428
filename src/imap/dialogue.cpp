#include "imap/dialogue.h"

#include "base/text.h"

namespace postern::imap {

net::Task<bool> Dialogue::greet()
{
    log().set_action("sending client greeting line");
    co_await client().write(kGreeting);
    co_return true;
}

// Returns what the client claims to be. Whether the claim is true is for auth/ to find out.
net::Task<protocol::Request> Dialogue::authorize()
{
    log().set_action("in auth state");
    for (;;) {
        std::optional<Parsed> parsed = co_await read_command();
        if (!parsed) {
            const std::string reply = invalid(tag_of(client().unread()));
            co_await client().write(reply);
            co_return protocol::Goodbye{};
        }
        if (const auto* error = std::get_if<SyntaxError>(&parsed->verdict)) {
            log_command("", 0);
            const bool last = too_many_errors() || error->must_close;
            const std::string reply = invalid(error->tag);
            co_await client().write(reply);
            if (last) {
                co_return protocol::Goodbye{};
            }
            continue;
        }
        auto& command = std::get<Command>(parsed->verdict);
        log_command(to_string(command.verb), command.arguments.size());
        if (too_many_commands()) {
            const std::string reply = invalid(command.tag);
            co_await client().write(reply);
            co_return protocol::Goodbye{};
        }
        std::string reply;
        switch (command.verb) {
        case Verb::capability:  // RFC 9051 section 6.1.1
            reply = capability(settings().imap_capabilities, settings().imap_auth, protection()) +
                    completed(command.tag);
            break;
        case Verb::noop:  // section 6.1.2
            reply = completed(command.tag);
            break;
        case Verb::logout:  // section 6.1.3
            reply = std::string(kBye) + completed(command.tag);
            co_await client().write(reply);
            co_return protocol::Goodbye{};
        case Verb::starttls:  // section 6.2.1
            if (protection().offers_starttls()) {
                reply = completed(command.tag);
                co_await client().write(reply);
                co_return protocol::WantsTls{};
            }
            reply = invalid(command.tag);
            break;
        case Verb::login:  // section 6.2.3
            if (command.has_right_arguments() && protection().may_authenticate()) {
                auth::Claim claim;
                claim.login = command.arguments[0].reveal();
                claim.password = std::move(command.arguments[1]);
                if (is_well_formed(claim)) {
                    tag_ = std::move(command.tag);
                    co_return claim;
                }
            }
            reply = invalid(command.tag);
            break;
        case Verb::authenticate:  // section 6.2.2
            reply = invalid(command.tag);
            if (command.has_right_arguments() && protection().may_authenticate()) {
                SaslEnd end = co_await authenticate(command);
                if (end.claim) {
                    tag_ = std::move(command.tag);
                    co_return std::move(*end.claim);
                }
                if (end.too_long) {
                    co_await client().write(reply);
                    co_return protocol::Goodbye{};
                }
            }
            break;
        }
        co_await client().write(reply);
    }
}

// The next command, or a bad line; nothing if it is too long. Sends the prompts that its literals
// want.
net::Task<std::optional<Parsed>> Dialogue::read_command()
{
    unsigned prompted = 0;
    for (;;) {
        Parsed parsed = parse_command(client().unread());
        for (; prompted < parsed.prompts; ++prompted) {
            co_await client().write(kContinue);
        }
        if (!std::holds_alternative<NeedMore>(parsed.verdict)) {
            client().consume(parsed.consumed);
            co_return std::move(parsed);
        }
        if (client().full()) {
            log_too_long();
            co_return std::nullopt;
        }
        co_await client().fill();
    }
}

net::Task<Dialogue::SaslEnd> Dialogue::authenticate(const Command& command)
{
    const auto words = command.words();
    const auto start = sasl::parse_start(words, settings().imap_auth);
    if (!start) {
        co_return SaslEnd{};
    }
    const bool needs_challenge = start->mechanism == sasl::Mechanism::cram_md5;
    sasl::Exchange exchange(start->mechanism, needs_challenge ? challenge() : std::string());
    sasl::Step step = exchange.begin(start->initial_response);
    SaslEnd end = co_await run_sasl(start->mechanism, std::move(step), exchange, "+ ");
    co_return end;
}

net::Task<> Dialogue::refuse(const auth::Refusal& refusal)
{
    const std::string reply = concat({tag_, " NO ", refusal.text, "\r\n"});
    co_await client().write(reply);
}

}  // namespace postern::imap
