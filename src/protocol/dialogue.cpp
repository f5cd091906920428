#include "protocol/dialogue.h"

#include <utility>

#include "sasl/challenge.h"

namespace postern::protocol {

namespace {

auth::Method method_of(sasl::Mechanism mechanism)
{
    switch (mechanism) {
    case sasl::Mechanism::plain:
    case sasl::Mechanism::login:
        return auth::Method::plain;
    case sasl::Mechanism::cram_md5:
        return auth::Method::cram_md5;
    case sasl::Mechanism::external:
        return auth::Method::external;
    }
    std::unreachable();
}

}  // namespace

bool DialogueBase::too_many_errors()
{
    if (++errors_ < settings().max_errors) {
        return false;
    }
    log().write(LogLevel::info, "client sent too many invalid commands");
    log().set_result(log::Result::client_error);
    return true;
}

bool DialogueBase::too_many_commands()
{
    if (++commands_ <= settings().max_commands) {
        return false;
    }
    log().write(LogLevel::info, "client sent too many commands");
    log().set_result(log::Result::client_error);
    return true;
}

void DialogueBase::log_command(std::string_view verb, std::size_t arguments)
{
    if (verb.empty()) {
        log().debug("client sent an invalid command");
    } else {
        log().debug("client sent {}, arguments: {}", verb, arguments);
    }
}

void DialogueBase::log_too_long()
{
    log().line(LogLevel::info, "client sent too long command: {} bytes without an end",
               client().unread().size());
    log().set_result(log::Result::client_error);
}

net::Task<std::optional<Line>> DialogueBase::read_line()
{
    for (;;) {
        const std::optional<Line> line = next_line(client().unread());
        if (line) {
            client().consume(line->consumed);
            co_return line;
        }
        if (client().full()) {
            log_too_long();
            co_return std::nullopt;
        }
        co_await client().fill();
    }
}

bool DialogueBase::is_well_formed(const auth::Claim& claim)
{
    const bool fits = fits_on_a_line(claim.login) && fits_on_a_line(claim.password.reveal());
    if (!fits) {
        log().write(LogLevel::info, "client sent CR, LF or NUL in its login name or password");
    }
    return fits;
}

const std::string& DialogueBase::challenge()
{
    if (context_.challenge.empty()) {
        context_.challenge = sasl::make_challenge(settings().server_name);
    }
    return context_.challenge;
}

net::Task<DialogueBase::SaslEnd> DialogueBase::run_sasl(sasl::Mechanism mechanism,
                                                        sasl::Step first_step,
                                                        sasl::Exchange& exchange,
                                                        std::string_view prompt)
{
    log().debug("client authenticates with {}", sasl::to_string(mechanism));
    sasl::Step step = std::move(first_step);
    while (const auto* challenge = std::get_if<sasl::Prompt>(&step)) {
        const std::string text = fmt::format("{}{}\r\n", prompt, challenge->text);
        co_await client().write(text);
        const std::optional<Line> line = co_await read_line();
        if (!line) {
            co_return SaslEnd{.claim = std::nullopt, .too_long = true};
        }
        log().debug("client answered the challenge");
        step = exchange.answer(line->text);
    }
    if (const auto* failure = std::get_if<sasl::Failure>(&step)) {
        log().write(LogLevel::info, failure->log_message());
        co_return SaslEnd{};
    }
    auto& claimed = std::get<sasl::Claim>(step);
    auth::Claim claim;
    claim.method = method_of(mechanism);
    claim.mechanism = sasl::to_string(mechanism);
    claim.login = std::move(claimed.user);
    claim.password = std::move(claimed.secret);
    if (mechanism == sasl::Mechanism::cram_md5) {
        claim.salt = challenge();
    }
    SaslEnd end;
    if (is_well_formed(claim)) {
        end.claim = std::move(claim);
    }
    co_return end;
}

}  // namespace postern::protocol
