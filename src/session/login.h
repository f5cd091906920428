#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "log/session_log.h"
#include "net/stream.h"
#include "net/task.h"
#include "session/session.h"

namespace postern::session {

// An open mailbox, and what both sides have said ahead of the relay.
struct Mailbox {
    std::unique_ptr<net::Stream> backend;
    std::string from_client;
    std::string from_backend;
    std::chrono::milliseconds idle_limit{};
    std::unique_ptr<limit::Admission::Places> places;  // null: it is not counted
};

// The part of a session that ends with the login: talks until a mailbox is open, or one side has
// had enough. In a frame of its own, so that nothing of the login outlives it.
net::Task<std::optional<Mailbox>> open_mailbox(net::Stream& client, const Arrival& arrival,
                                               std::span<const Server> servers,
                                               log::SessionLog& log);

}  // namespace postern::session
