#pragma once

#include <chrono>
#include <string_view>
#include <variant>

#include "log/session_log.h"
#include "net/conversation.h"
#include "net/task.h"
#include "protocol/dialogue.h"
#include "session/guesses.h"

namespace postern::session {

// Ends our side, and waits a moment until the client has read our last words and ends its own: a
// socket that is closed with unread input resets the connection, and they may be lost.
net::Task<> say_goodbye(net::Conversation& client);

// What a wait for a client that has not logged in may throw.
using LoginEnd = std::variant<net::Disconnected, net::SentTooMuch>;

// The line about it; one that just leaves is no news. What the client is told, if anything: NGINX
// says nothing to one that was too slow by "timeout".
std::string_view log_end(const LoginEnd& why, const net::Conversation& client,
                         const protocol::Dialogue& dialogue,
                         std::chrono::milliseconds login_timeout, log::SessionLog& log);

// For how long an answer is to be held back.
struct Delays {
    std::chrono::milliseconds ours;
    std::chrono::milliseconds services;
};

// Holds back the answer to a login that has failed, for the longer one; ours only while not too
// many are held back. Throws Disconnected when the client leaves meanwhile.
net::Task<> hold_back(net::Conversation& client, Delays delays, HeldAnswers& held,
                      const log::SessionLog& log);

}  // namespace postern::session
