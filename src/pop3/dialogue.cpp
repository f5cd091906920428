#include "pop3/dialogue.h"

#include <utility>

#include "base/line.h"
#include "base/text.h"

namespace postern::pop3 {

net::Task<bool> Dialogue::greet()
{
    log().set_action("sending client greeting line");
    const bool with_challenge = greets_with_challenge(settings().pop3_auth);
    const std::string text = greeting(with_challenge ? challenge() : std::string());
    co_await client().write(text);
    co_return true;
}

// Returns what the client claims to be. Whether the claim is true is for auth/ to find out.
net::Task<protocol::Request> Dialogue::authorize()
{
    log().set_action("in auth state");
    std::string user;  // named by USER, for the PASS that follows
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
        if (!command || !command->has_right_arguments() || !allowed(command->verb, user)) {
            user.clear();
            co_await client().write(kInvalid);
            continue;
        }
        std::string reply(kOk);
        switch (command->verb) {
        case Verb::user:  // RFC 1939 section 7
            if (fits_on_a_line(command->arguments[0])) {
                user = command->arguments[0];
            } else {
                reply = kInvalid;
            }
            break;
        case Verb::pass: {  // section 7: the rest of the line, spaces and all
            auth::Claim claim;
            claim.login = std::exchange(user, {});
            claim.password = Secret(command->arguments[0]);
            if (is_well_formed(claim)) {
                co_return claim;
            }
            reply = kInvalid;
            break;
        }
        case Verb::apop: {  // section 7: a digest over the challenge that our greeting held
            auth::Claim claim;
            claim.method = auth::Method::apop;
            claim.login = command->arguments[0];
            claim.password = Secret(command->arguments[1]);
            claim.salt = challenge();
            if (is_well_formed(claim)) {
                co_return claim;
            }
            reply = kInvalid;
            break;
        }
        case Verb::auth: {  // RFC 5034 section 4
            if (command->arguments.empty()) {
                reply = auth_list(settings().pop3_auth);
                break;
            }
            reply = kInvalid;
            const auto start = sasl::parse_start(command->arguments, settings().pop3_auth);
            if (!start) {
                break;
            }
            const bool needs_challenge = start->mechanism == sasl::Mechanism::cram_md5;
            sasl::Exchange exchange(start->mechanism,
                                    needs_challenge ? challenge() : std::string());
            sasl::Step step = exchange.begin(start->initial_response);
            SaslEnd end = co_await run_sasl(start->mechanism, std::move(step), exchange, "+ ");
            if (end.claim) {
                co_return std::move(*end.claim);
            }
            if (end.too_long) {
                co_await client().write(kInvalid);
                co_return protocol::Goodbye{};
            }
            break;
        }
        case Verb::capa:  // RFC 2449 section 5
            reply = capabilities(settings().pop3_capabilities, settings().pop3_auth, protection(),
                                 !user.empty());
            break;
        case Verb::stls:  // RFC 2595 section 4
            co_await client().write(kOk);
            co_return protocol::WantsTls{};
        case Verb::noop:  // NGINX: RFC 1939 has it only after login
            break;
        case Verb::quit:  // section 4
            co_await client().write(kOk);
            co_return protocol::Goodbye{};
        }
        co_await client().write(reply);
    }
}

bool Dialogue::allowed(Verb verb, const std::string& user) const
{
    switch (verb) {
    case Verb::user:
    case Verb::auth:
        return user.empty() && protection().may_authenticate();
    case Verb::apop:
        return user.empty() && protection().may_authenticate() && settings().pop3_auth.apop;
    case Verb::pass:
        return !user.empty();
    case Verb::stls:
        return user.empty() && protection().offers_starttls();
    case Verb::capa:
    case Verb::noop:
    case Verb::quit:
        return true;
    }
    std::unreachable();
}

net::Task<> Dialogue::refuse(const auth::Refusal& refusal)
{
    const std::string reply = concat({"-ERR ", refusal.text, "\r\n"});
    co_await client().write(reply);
}

}  // namespace postern::pop3
