#include "bench/load.h"

#include <fmt/format.h>

#include <algorithm>

#include "bench/sockets.h"

namespace postern::bench {

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kErrorsMax = 100;  // then something is wrong that will not go away
constexpr auto kTurn = 50ms;               // at most, so that the end of a run is not missed
constexpr auto kSilence = 20s;             // then nothing will ever come
constexpr auto kLost = 10s;
constexpr std::size_t kOpeners = 64;

}  // namespace

Load::Load(const LoadOptions& options)
    : options_(options), shared_(options_, poller_, *this), openers_(kOpeners)
{
    raise_descriptor_limit();
    for (std::uint32_t i = 0; i < std::min(options.users, options.clients); ++i) {
        scripts_.push_back(login_script(options, i));
    }
    for (std::uint32_t i = 0; i < options.clients; ++i) {
        sessions_.push_back(std::make_unique<Session>(shared_, scripts_[i % scripts_.size()]));
    }
}

int Load::run()
{
    last_event_ = Clock::now();
    work();
    return errors_before_ + measurement_.errors() == 0 ? 0 : 1;
}

void Load::on_open(Session& session)
{
    --opening_;
    ++open_;
    if (options_.resume && !session.resumed()) {
        reopen(session);  // this one was for its ticket
    } else {
        opened(session);
    }
}

void Load::on_failure(Session& session, const std::string& why, bool was_open)
{
    --(was_open ? open_ : opening_);
    measurement_.error(why);
    failed(session);
}

void Load::measure_anew()
{
    errors_before_ += measurement_.errors();
    measurement_ = Measurement();
}

void Load::start(Session& session)
{
    ++opening_;
    session.open();
}

void Load::open_all()
{
    for (const auto& session : sessions_) {
        open(*session);
    }
}

void Load::reopen(Session& session)
{
    session.close();
    --open_;
    start(session);
}

void Load::close_all()
{
    for (const auto& session : sessions_) {
        session->close();
    }
    to_open_.clear();
    open_ = opening_ = 0;
}

bool Load::turn()
{
    // As many as there are now: who fails at once is put back.
    for (std::size_t left = to_open_.size(); left > 0 && opening_ < openers_; --left) {
        Session* const session = to_open_.front();
        to_open_.pop_front();
        start(*session);
    }
    const bool events = poller_.wait(kTurn) > 0;
    const auto now = Clock::now();
    if (events) {
        last_event_ = now;
    } else if (now - last_event_ > kSilence) {
        measurement_.error(fmt::format("nothing has come for {} seconds", kSilence.count()));
        return false;
    }
    return !too_many_errors();
}

void Load::rest()
{
    poller_.wait();
    last_event_ = Clock::now();
}

bool Load::too_many_errors() const
{
    return measurement_.errors() >= kErrorsMax;
}

void Load::count_lost_answers()
{
    const auto limit = Clock::now() - kLost;
    for (const auto& session : sessions_) {
        if (session->waits() && session->since() < limit) {
            measurement_.error(fmt::format("no answer for {} seconds", kLost.count()));
        }
    }
}

std::unique_ptr<Load> make_load(const LoadOptions& options)
{
    switch (options.work) {
    case Work::login:
    case Work::lone_login:
        return make_logins(options);
    case Work::round_trip:
    case Work::answers:
    case Work::bulk_down:
    case Work::bulk_up:
        return make_requests(options);
    case Work::idle:
        return make_idle(options);
    case Work::storm:
        return make_storm(options);
    }
    return nullptr;
}

}  // namespace postern::bench
