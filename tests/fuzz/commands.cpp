// What clients say before they are logged in.
#include <algorithm>
#include <string>
#include <tuple>

#include "base/line.h"
#include "imap/grammar.h"
#include "pop3/grammar.h"
#include "smtp/grammar.h"
#include "targets.h"

namespace postern::fuzz {

namespace {

std::string shown(const imap::Parsed& parsed)
{
    std::string text = std::to_string(parsed.consumed) + "/" + std::to_string(parsed.prompts);
    if (const auto* command = std::get_if<imap::Command>(&parsed.verdict)) {
        text += " " + command->tag + " " + std::string(imap::to_string(command->verb));
        for (const Secret& argument : command->arguments) {
            text += "|" + std::string(argument.reveal());
        }
    } else if (const auto* error = std::get_if<imap::SyntaxError>(&parsed.verdict)) {
        text += " " + error->tag + (error->must_close ? " closes" : " goes on");
    }
    return text;
}

bool needs_more(const imap::Parsed& parsed)
{
    return std::holds_alternative<imap::NeedMore>(parsed.verdict);
}

bool is_tag(std::string_view tag)
{
    return std::ranges::none_of(tag, [](char c) { return c <= ' ' || c == 0x7f; });
}

}  // namespace

void imap_commands(std::string_view input)
{
    while (!input.empty()) {
        const imap::Parsed whole = imap::parse_command(input);
        require(whole.consumed <= input.size(), "no more is consumed than there is");
        require(needs_more(whole) == (whole.consumed == 0), "a verdict consumes its bytes");
        require(is_tag(imap::tag_of(input)), "a tag holds nothing that ends it");
        // However it was cut into packets: nothing before the end, and no prompt too many.
        unsigned prompts = 0;
        const std::size_t step = std::max<std::size_t>(whole.consumed / 64, 1);
        for (std::size_t cut = 0; cut < whole.consumed; cut += step) {
            const imap::Parsed part = imap::parse_command(input.substr(0, cut));
            require(needs_more(part), "a command is not complete before its end");
            require(part.prompts >= prompts && part.prompts <= whole.prompts, "prompts add up");
            prompts = part.prompts;
        }
        if (needs_more(whole)) {
            return;
        }
        const imap::Parsed alone = imap::parse_command(input.substr(0, whole.consumed));
        require(shown(alone) == shown(whole), "what follows a command doesn't change it");
        if (const auto* command = std::get_if<imap::Command>(&whole.verdict)) {
            require(is_tag(command->tag), "a tag holds nothing that ends it");
            std::ignore = command->has_right_arguments();
            require(command->words().size() == command->arguments.size(), "words are arguments");
        } else if (std::get<imap::SyntaxError>(whole.verdict).must_close) {
            return;
        }
        input.remove_prefix(whole.consumed);
    }
}

void pop3_commands(std::string_view input)
{
    while (const auto line = next_line(input)) {
        if (const auto command = pop3::parse_command(line->text)) {
            for (const std::string_view argument : command->arguments) {
                require(argument.data() >= line->text.data() &&
                            argument.data() + argument.size() <=
                                line->text.data() + line->text.size(),
                        "arguments are parts of the line");
                require(argument.find('\n') == std::string_view::npos, "a line has one end");
            }
            if (command->has_right_arguments() && command->arguments.size() == 1) {
                const auto user = pop3::user_command(command->arguments[0]);
                require(!user || (user->ends_with("\r\n") &&
                                  user->find_first_of(std::string_view("\r\n\0", 3)) ==
                                      user->size() - 2),
                        "a command for a server is one line");
            }
        }
        input.remove_prefix(line->consumed);
    }
}

void smtp_commands(std::string_view input)
{
    while (const auto line = next_line(input)) {
        if (const auto command = smtp::parse_command(line->text)) {
            require(command->text.find('\n') == std::string_view::npos, "a line has one end");
            require(command->arguments.size() <= smtp::kMaxArguments, "arguments are bounded");
            const bool is_right = command->has_right_arguments();
            const auto kept = smtp::kept_command(command->text);
            require(!kept || (kept->ends_with("\r\n") &&
                              kept->find_first_of(std::string_view("\r\n\0", 3)) ==
                                  kept->size() - 2),
                    "a command for a server is one line");
            if (is_right && command->verb == smtp::Verb::ehlo) {
                const auto hello = smtp::hello_command(true, command->arguments[0]);
                require(!hello || hello->size() == command->arguments[0].size() + 7,
                        "EHLO says the name");
            }
        }
        input.remove_prefix(line->consumed);
    }
}

}  // namespace postern::fuzz
