#include "relay/relay.h"

namespace postern::relay {

namespace {

End end_of(const Direction& dead, bool from_client)
{
    return dead.source_failed() == from_client ? End::client_failed : End::upstream_failed;
}

}  // namespace

Relay::Relay(std::unique_ptr<net::Stream> client, std::unique_ptr<net::Stream> backend,
             std::chrono::milliseconds idle, std::string from_client, std::string from_backend)
    : client_(std::move(client)),
      backend_(std::move(backend)),
      up_(std::move(from_client)),
      down_(std::move(from_backend)),
      deadline_(client_->loop()),
      idle_(idle)
{
    deadline_.end_with_loop();
}

bool Relay::pump()
{
    if (deadline_.loop().ending()) {
        end_ = End::shut_down;
        return false;
    }
    if (deadline_.expired() && !busy_) {  // whoever was busy has not been silent
        if (!half_closed_) {
            end_ = End::timed_out;
        }
        return false;
    }
    using Outcome = Direction::Outcome;
    const Outcome up = up_.pump(*client_, *backend_, down_.ended());
    // What a backend said before it died still arrives: why it took no more, for example.
    const Outcome down = up == Outcome::failed && up_.source_failed()
                             ? Outcome::waiting
                             : down_.pump(*backend_, *client_, up_.ended());
    if (up == Outcome::failed || down == Outcome::failed) {
        // Whoever closed first has ended the session, however the other takes it.
        if (!half_closed_) {
            end_ = up == Outcome::failed ? end_of(up_, true) : end_of(down_, false);
        }
        return false;
    }
    if ((up_.ended() || down_.ended()) && !half_closed_) {
        half_closed_ = true;
        end_ = up_.ended() ? End::closed_by_client : End::closed_by_upstream;
        deadline_.clear();
    }
    busy_ = up == Outcome::busy || down == Outcome::busy;
    return !(up_.ended() && down_.ended());
}

void Relay::close()
{
    client_.reset();
    backend_.reset();
}

void Relay::wait(std::coroutine_handle<> waiter)
{
    if (busy_) {
        client_->loop().resume_next_turn(waiter);
        return;
    }
    const std::uint64_t moved = up_.bytes() + down_.bytes();
    if (moved != moved_before_ || deadline_.idle()) {
        moved_before_ = moved;
        const net::Clock::duration limit = half_closed_ ? kHalfClosedLimit : idle_;
        deadline_.set(std::min<net::Clock::duration>(limit, idle_));
    }
    net::StreamEvent(*client_, *backend_, deadline_).await_suspend(waiter);
}

void Relay::wake()
{
    if (!busy_) {
        net::StreamEvent(*client_, *backend_, deadline_).await_resume();
    }
}

}  // namespace postern::relay
