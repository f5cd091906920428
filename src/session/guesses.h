#pragma once

#include <chrono>
#include <optional>

#include "auth/authenticator.h"
#include "limit/auth_failures.h"
#include "log/session_log.h"
#include "session/session.h"

namespace postern::session {

// What "limit_auth_failures" makes of one attempt to log in.
class Guess
{
public:
    // All outlive it.
    Guess(const Server& server, const auth::Claim& claim, const auth::Peer& peer,
          const log::SessionLog& log, net::Loop& loop);

    // May it not be made, or not succeed? Then it is logged.
    bool is_refused() const;
    // It has failed. How long the answer is to be held back, which is logged.
    std::chrono::milliseconds failed() const;
    // False: too many others have failed meanwhile, which is logged; else it counts as a success.
    bool succeeded() const;

private:
    limit::AuthFailures::Limits limits() const
    {
        return {server_.settings.address_failures, server_.settings.user_failures};
    }
    limit::Time now() const;

    const Server& server_;
    const log::SessionLog& log_;
    net::Loop& loop_;
    // Nothing: the client is exempt, or nothing is counted.
    std::optional<limit::AuthFailures::Attempt> attempt_;
};

// How many answers of one event loop are held back: each keeps a connection.
class HeldAnswers
{
public:
    explicit HeldAnswers(std::size_t most) : most_(most) {}

    // One of them, for as long as it exists. False: there are too many.
    class Place
    {
    public:
        explicit Place(HeldAnswers& all) : all_(all.count_ < all.most_ ? &all : nullptr)
        {
            if (all_ != nullptr) {
                ++all_->count_;
            }
        }
        ~Place()
        {
            if (all_ != nullptr) {
                --all_->count_;
            }
        }
        Place(const Place&) = delete;
        Place& operator=(const Place&) = delete;
        explicit operator bool() const { return all_ != nullptr; }

    private:
        HeldAnswers* all_;
    };

private:
    std::size_t count_ = 0;
    std::size_t most_;
};

}  // namespace postern::session
