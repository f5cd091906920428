#include "sasl/exchange.h"

#include <string>
#include <tuple>
#include <vector>

#include "base/base64.h"
#include "base/line.h"
#include "targets.h"

namespace postern::fuzz {

// The first byte chooses the mechanism, the first line is the command's arguments, each other one
// an answer.
void sasl(std::string_view input)
{
    if (input.empty()) {
        return;
    }
    const auto chosen = static_cast<unsigned char>(input[0]);
    const auto mechanism = static_cast<sasl::Mechanism>(chosen % 4);
    const bool has_initial = (chosen & 4) != 0;
    input.remove_prefix(1);

    const std::string_view first = input.substr(0, input.find('\n'));
    Mechanisms all;
    all.cram_md5 = all.external = (chosen & 8) != 0;
    if (const auto words = split_words(first, 11)) {
        const auto start = sasl::parse_start(*words, all);
        require(!start || sasl::parse_mechanism(sasl::to_string(start->mechanism)) ==
                              start->mechanism,
                "mechanisms have one name");
    }

    sasl::Exchange exchange(mechanism, "<1.2@test>");
    sasl::Step step = exchange.begin(has_initial ? std::optional(first) : std::nullopt);
    input.remove_prefix(std::min(input.size(), first.size() + 1));
    unsigned prompts = 0;
    while (std::holds_alternative<sasl::Prompt>(step)) {
        require(base64_decode(std::get<sasl::Prompt>(step).text).has_value(), "prompts are base64");
        require(++prompts <= 2, "no mechanism asks more than twice");
        const auto line = next_line(input);
        if (!line) {
            return;
        }
        step = exchange.answer(line->text);
        input.remove_prefix(line->consumed);
    }
    if (const auto* claim = std::get_if<sasl::Claim>(&step)) {
        require(claim->mechanism == mechanism, "the claim is of the mechanism");
        require(mechanism != sasl::Mechanism::cram_md5 || claim->secret.reveal().size() == 32,
                "a digest has 32 digits");
        require(mechanism != sasl::Mechanism::external || claim->secret.empty(),
                "EXTERNAL has no password");
    } else {
        require(std::get<sasl::Failure>(step).log_message().find('\n') == std::string::npos,
                "a failure is one line in the log");
    }
}

}  // namespace postern::fuzz
