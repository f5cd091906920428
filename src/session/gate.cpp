#include "session/gate.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.h"
#include "listen/access.h"
#include "net/conversation.h"

namespace postern::session {

namespace {

// Between looks for a place.
constexpr std::chrono::milliseconds kFirstPause{50};
constexpr std::chrono::milliseconds kLongestPause{1000};

// Of what is full, what strangers can be sent away for.
std::optional<Room> room_of(std::string_view full)
{
    if (full == limit::Admission::kSessionsOfAll) {
        return Room::session_of_all;
    }
    return full == limit::Admission::kNewcomersOfAll ? std::optional(Room::newcomer_of_all)
                                                     : std::nullopt;
}

}  // namespace

net::Task<bool> Gate::wait_for_place(const config::MailServer& settings,
                                     const SocketAddress& address)
{
    if (listen::is_among(settings.limit_exempt, address)) {
        co_return true;
    }
    const net::Loop& loop = deadline_.loop();
    const auto turn = admission_.turn(settings, address, loop.now());
    const bool is_its_turn = co_await wait_for_turn(settings, turn, "connection");
    if (!is_its_turn) {
        co_return false;
    }
    const auto limit = loop.now() + limit::Rates::kPatience;
    bool has_pushed = false;  // each client sends one other away at most
    for (auto pause = kFirstPause;; pause = std::min(2 * pause, kLongestPause)) {
        auto entered = admission_.enter(settings, address);
        const auto room = entered ? std::nullopt : room_of(entered.error());
        if (room && !has_pushed && !settings.limit_dry_run) {
            has_pushed = newcomers_.make_way(loop.now(), *room);
            if (has_pushed) {  // before anybody else comes
                entered = admission_.enter(settings, address);
            }
        }
        if (entered) {
            as_newcomer_ = std::move(entered->as_newcomer);
            if (entered->as_session) {
                as_session_ =
                    std::make_unique<limit::Admission::Places>(std::move(entered->as_session));
            }
            co_return true;
        }
        if (settings.limit_dry_run || loop.now() >= limit) {
            log_limit(settings, "connections", entered.error());
            co_return settings.limit_dry_run;
        }
        co_await rest(pause);
    }
}

net::Task<bool> Gate::wait_for_handshake(const config::MailServer& settings)
{
    const auto turn = admission_.handshake_turn(settings, deadline_.loop().now());
    const bool is_its_turn = co_await wait_for_turn(settings, turn, "handshake");
    co_return is_its_turn;
}

net::Task<bool> Gate::wait_for_turn(const config::MailServer& settings, limit::Admission::Turn turn,
                                    std::string_view what)
{
    const bool is_dry_run = settings.limit_dry_run;
    if (!turn.wait) {
        log_limit(settings, concat({what, "s"}), turn.limit);
        co_return is_dry_run;
    }
    if (turn.wait->count() > 0 && !is_dry_run) {
        const auto level = static_cast<LogLevel>(std::to_underlying(settings.limit_log_level) + 1);
        log_.line(level, "delaying {} for {} ms by \"{}\"", what, turn.wait->count(), turn.limit);
        co_await rest(*turn.wait);
    }
    co_return true;
}

// This time is not the client's: its own limit begins anew.
net::Task<> Gate::rest(std::chrono::milliseconds time)
{
    net::Deadline pause(deadline_.loop());
    pause.set(time);
    const auto left = deadline_.left();
    deadline_.clear();
    pause_ = &pause;
    for (;;) {
        net::StreamEvent event(client_, pause);
        const bool has_happened = co_await event;
        if (!has_happened && !has_made_way_) {
            pause_ = nullptr;
            deadline_.set(left);
            co_return;
        }
        if (has_made_way_ || client_.hung_up()) {
            pause_ = nullptr;
            throw net::Disconnected{net::Disconnected::Reason::closed};
        }
    }
}

bool Gate::make_way()
{
    if (pause_ == nullptr) {
        return false;
    }
    has_made_way_ = true;
    pause_->set(net::Clock::duration::zero());
    return true;
}

bool Gate::holds(Room room) const
{
    switch (room) {
    case Room::connection:
        return true;
    case Room::session_of_all:
        return as_session_ && as_session_->total;
    case Room::newcomer_of_all:
        return static_cast<bool>(as_newcomer_.total);
    }
    std::unreachable();
}

void Gate::give_back()
{
    as_newcomer_ = {};
    as_session_.reset();
}

void Gate::log_limit(const config::MailServer& settings, std::string_view what,
                     std::string_view limit) const
{
    log_.line(settings.limit_log_level, "limiting {}{} by \"{}\"", what,
              settings.limit_dry_run ? ", dry run," : "", limit);
}

}  // namespace postern::session
