// What mailbox servers say while we log in to them.
#include <string>
#include <tuple>

#include "imap/grammar.h"
#include "pop3/grammar.h"
#include "smtp/grammar.h"
#include "smtp/xclient.h"
#include "targets.h"

namespace postern::fuzz {

namespace {

// One after the other; none is there before its end has come.
template <typename Parse>
void read_all(std::string_view input, const Parse& parse)
{
    while (const auto reply = parse(input)) {
        require(reply->consumed > 0 && reply->consumed <= input.size(), "a reply has a size");
        require(!parse(input.substr(0, reply->consumed - 1)), "it is not there before its end");
        const auto alone = parse(input.substr(0, reply->consumed));
        require(alone && alone->consumed == reply->consumed, "what follows doesn't change it");
        input.remove_prefix(reply->consumed);
    }
}

bool is_one_line(std::string_view text)
{
    return text.ends_with("\r\n") &&
           text.find_first_of(std::string_view("\r\n\0", 3)) == text.size() - 2;
}

}  // namespace

void backend_replies(std::string_view input)
{
    const std::size_t tag_end = input.find('\n');
    const std::string_view tag =
        tag_end < 20 ? input.substr(0, tag_end) : std::string_view("a1");
    read_all(input, [tag](std::string_view text) { return imap::parse_reply(text, tag); });
    read_all(input, [](std::string_view text) { return pop3::parse_reply(text); });
    read_all(input, [](std::string_view text) { return smtp::parse_reply(text); });

    const std::string_view user = input.substr(0, 100);
    const auto auth = smtp::auth_plain_command(user, "password");
    require(!auth || is_one_line(auth->reveal()), "AUTH is one line");
    if (const auto login = imap::login("t", "user", "password")) {
        const bool in_one_piece = imap::takes_one_piece(input, *login);
        require(!in_one_piece || input.find('+') != std::string_view::npos ||
                    input.find('-') != std::string_view::npos,
                "LITERAL+ or LITERAL- is listed");
    }
    const auto offered = smtp::extension(input, "XCLIENT");
    const std::string name(input.substr(0, 300));
    smtp::ClientFacts facts{.address = SocketAddress::parse_ip("2001:db8::1", 1).value(),
                            .listener = SocketAddress::parse_ip("192.0.2.1", 143).value(),
                            .login = name,
                            .host = name,
                            .helo = name,
                            .extended = true};
    for (const std::string& command : smtp::xclient_commands(facts, offered)) {
        require(is_one_line(command), "XCLIENT is one line whatever the client's names hold");
    }
}

}  // namespace postern::fuzz
