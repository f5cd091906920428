// What login.cpp and login_outcome.cpp share: nobody else needs it.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "backend/connection.h"
#include "protocol/dialogue.h"
#include "session/gate.h"
#include "session/goodbye.h"
#include "session/guesses.h"
#include "session/login.h"

namespace postern::session {

// The part of a session that ends with the login, and with it its memory.
class Login final : private Newcomer
{
public:
    Login(net::Stream& client, const Arrival& arrival, std::span<const Server> servers,
          log::SessionLog& log);

    // Talks until a mailbox is open, or one side has had enough.
    net::Task<std::optional<Mailbox>> run();

private:
    void dismiss() override;
    bool make_way(Room room) override;
    bool can_be_told();
    net::Task<std::optional<Mailbox>> talk();
    net::Task<bool> learn_who_calls();
    void serve_as(std::size_t server);
    net::Task<bool> admit();
    net::Task<bool> start_tls();
    net::Task<bool> restart_under_tls();
    net::Task<bool> check_certificate();
    net::Task<std::optional<Mailbox>> open(const auth::Claim& claim, const auth::Mailbox& mailbox,
                                           const Guess& guess);
    net::Task<std::optional<std::string>> log_in(backend::Connection& backend,
                                                 const auth::Claim& claim,
                                                 const auth::Mailbox& mailbox, const Guess& guess);
    net::Task<bool> refuse(const auth::Claim& claim, const auth::Refusal& refusal,
                           const Guess& guess);
    net::Task<> end(const LoginEnd& why);
    void leave_with(std::string_view words);

    const Server& server() const { return *server_; }
    const config::MailServer& settings() const { return server_->settings; }

    std::span<const Server> servers_;
    const Server* server_;  // the client's, as far as we know
    const listen::Endpoint& endpoint_;
    log::SessionLog& log_;
    net::Deadline deadline_;
    net::Conversation client_;
    Gate gate_;
    auth::Peer peer_;
    std::string challenge_;
    std::unique_ptr<protocol::Dialogue> dialogue_;
    const net::Clock::time_point accepted_;
    bool in_handshake_ = false;
    bool waits_for_client_ = false;  // for nothing else
    bool has_made_way_ = false;      // and hears no more
    bool has_greeted_ = false;
    bool is_leaving_ = false;  // it was told goodbye
};

}  // namespace postern::session
