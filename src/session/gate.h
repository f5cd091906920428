#pragma once

#include <chrono>
#include <memory>
#include <string_view>

#include "base/address.h"
#include "config/settings.h"
#include "limit/admission.h"
#include "log/session_log.h"
#include "net/deadline.h"
#include "net/stream.h"
#include "net/task.h"
#include "session/newcomers.h"

namespace postern::session {

// Where one client waits until the limits let it in, and its places among those that are in. Says
// nothing to the client. Waiting throws net::Disconnected if the client goes meanwhile.
class Gate
{
public:
    Gate(limit::Admission& admission, Newcomers& newcomers, net::Stream& client,
         net::Deadline& deadline, log::SessionLog& log)
        : admission_(admission),
          newcomers_(newcomers),
          client_(client),
          deadline_(deadline),
          log_(log)
    {
    }

    // False: it has to come again later, which is logged.
    net::Task<bool> wait_for_place(const config::MailServer& settings,
                                   const SocketAddress& address);
    net::Task<bool> wait_for_handshake(const config::MailServer& settings);
    // Ends its waiting soon: that throws net::Disconnected. False: it does not wait here.
    bool make_way();
    // Would it make that room by going?
    bool holds(Room room) const;
    void give_back();
    // It has logged in: what it is to hold until the end of its session; null: it is not counted.
    std::unique_ptr<limit::Admission::Places> leave() { return std::move(as_session_); }

private:
    net::Task<bool> wait_for_turn(const config::MailServer& settings, limit::Admission::Turn turn,
                                  std::string_view what);
    net::Task<> rest(std::chrono::milliseconds time);
    void log_limit(const config::MailServer& settings, std::string_view what,
                   std::string_view limit) const;

    limit::Admission& admission_;
    Newcomers& newcomers_;
    net::Stream& client_;
    net::Deadline& deadline_;
    log::SessionLog& log_;
    limit::Admission::Places as_newcomer_;
    std::unique_ptr<limit::Admission::Places> as_session_;
    net::Deadline* pause_ = nullptr;  // while it waits
    bool has_made_way_ = false;
};

}  // namespace postern::session
