// What is said to the service of "auth_http" and what its answer means. Pure.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "auth/authenticator.h"
#include "base/secret.h"
#include "config/settings.h"
#include "http/response_head.h"
#include "tls/client_context.h"

namespace postern::auth {

// A service and how it is asked.
struct HttpService {
    config::AuthHttp where;
    std::chrono::milliseconds timeout{};  // of connection, request and answer together
    unsigned keepalive = 0;               // idle connections kept; 0: one request a connection
    std::vector<std::pair<std::string, std::string>> headers;  // of "auth_http_header"
    bool pass_client_cert = false;
    const tls::ClientContext* tls = nullptr;  // of "https://", else null
};

// "GET URI HTTP/1.0" (1.1, which keeps the connection, with "auth_http_keepalive") and its headers,
// in NGINX's order. It holds the password. Nothing if a value that is sent as it is, such as the
// client's HELO or MAIL, has a CR, LF or NUL: it could become a header of its own.
std::optional<Secret> make_request(const HttpService& service, const Claim& claim,
                                   const Peer& peer);

// The service wants to be asked again after this.
struct Wait {
    std::chrono::seconds pause;
};

// What is wrong with an answer, to follow "auth http server X ": "did not send server or port".
struct BadAnswer {
    std::string problem;
};

using HttpAnswer = std::variant<Mailbox, Refusal, Wait, BadAnswer>;

// What an answer means for this claim. Differs from NGINX where that must be a mistake: an empty
// Auth-Status is a refusal in SMTP too, and WAIT without Auth-Wait means one second.
HttpAnswer read_answer(std::span<const http::Header> headers, const Claim& claim, const Peer& peer);

}  // namespace postern::auth
