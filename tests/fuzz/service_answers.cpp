// What the service of "auth_http" answers.
#include <string>

#include "auth/auth_http_message.h"
#include "base/line.h"
#include "http/response_body.h"
#include "http/response_head.h"
#include "targets.h"

namespace postern::fuzz {

namespace {

void read_meaning(const http::ResponseHead& head, config::Protocol protocol)
{
    auth::Claim claim;
    claim.login = "user";
    claim.password = Secret("password");
    auth::Peer peer;
    peer.protocol = protocol;
    const auth::HttpAnswer answer = auth::read_answer(head.headers, claim, peer);
    if (const auto* refusal = std::get_if<auth::Refusal>(&answer)) {
        require(fits_on_a_line(refusal->text), "a refusal is one line for the client");
    } else if (const auto* mailbox = std::get_if<auth::Mailbox>(&answer)) {
        require(!mailbox->host.empty(), "a mailbox is somewhere");
    }
}

}  // namespace

void service_answers(std::string_view input)
{
    const auto parsed = http::parse_response_head(input);
    if (!parsed || !*parsed) {
        return;
    }
    const http::ResponseHead& head = **parsed;
    require(head.consumed <= input.size(), "no more is consumed than there is");
    for (std::size_t cut = head.consumed > 64 ? head.consumed - 64 : 0; cut < head.consumed; ++cut) {
        const auto part = http::parse_response_head(input.substr(0, cut));
        require(!part || !*part, "a head is not complete before its end");
    }
    for (const http::Header& header : head.headers) {
        require(!header.name.empty() || header.value.empty(), "a value has a name");
        require(header.value.find_first_of(std::string_view("\n\0", 2)) == std::string_view::npos,
                "a value is part of a line");
    }
    for (const auto protocol :
         {config::Protocol::imap, config::Protocol::pop3, config::Protocol::smtp}) {
        read_meaning(head, protocol);
    }
    const std::string_view body = input.substr(head.consumed);
    const auto size = http::body_size(head, body);
    if (size && *size) {
        require(**size <= body.size(), "a body is no longer than what there is");
        const auto alone = http::body_size(head, body.substr(0, **size));
        require(alone && *alone == *size, "what follows doesn't change a body's end");
    }
}

}  // namespace postern::fuzz
