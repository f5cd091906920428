// The two sides of the auth_http protocol: header fields in, header fields out. Pure.
#pragma once

#include <chrono>
#include <expected>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "auth/authenticator.h"
#include "base/secret.h"
#include "config/settings.h"
#include "http/response_head.h"

namespace postern::auth {

// What a request is made of, besides the claim.
struct HttpService {
    config::AuthHttp where;
    std::chrono::milliseconds timeout{};  // of connection, request and answer together
    unsigned keepalive = 0;               // idle connections kept; 0: one request a connection
    std::vector<std::pair<std::string, std::string>> headers;  // of "auth_http_header"
};

// "GET URI HTTP/1.0" (1.1 with keep-alive) and its header fields, in NGINX's order. Holds the
// password.
Secret make_request(const HttpService& service, const Claim& claim, const Peer& peer);

// Auth-User, Auth-Pass and the like: bytes up to the space, and "%", become "%XX".
std::string escape_header_value(std::string_view value);

// The service wants to be asked again after this.
struct Wait {
    std::chrono::seconds pause;
};

// What is wrong with an answer, to follow "auth http server X ": "did not send server or port".
struct BadAnswer {
    std::string problem;
};

using HttpAnswer = std::variant<Mailbox, Refusal, Wait, BadAnswer>;

// What an answer means for this claim.
HttpAnswer read_answer(const http::ResponseHead& head, const Claim& claim, const Peer& peer);

}  // namespace postern::auth
