#pragma once

#include "log/session_log.h"
#include "net/conversation.h"
#include "net/deadline.h"
#include "net/stream.h"
#include "net/task.h"

namespace postern::session {

// The last words must arrive: a socket that is closed with unread input resets the connection, and
// they may be lost. Ends when the client has closed, or has had two seconds to read them.
net::Task<> say_goodbye(net::Stream& client, net::Deadline& deadline);

// Of a client that has gone before it logged in; that it just left is no news.
void log_end(log::SessionLog& log, const net::Disconnected& end);

}  // namespace postern::session
