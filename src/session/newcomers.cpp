#include "session/newcomers.h"

namespace postern::session {

namespace {

// In a storm of clients that all come again at once, none would get in if each pushed out the one
// before.
constexpr std::chrono::seconds kLeastTime{1};
// Of those who can't go now, so many are passed over at a time.
constexpr int kMostPassedOver = 64;

}  // namespace

void Newcomers::dismiss()
{
    for (Newcomer* newcomer = newest_; newcomer != nullptr; newcomer = newcomer->older_) {
        newcomer->dismiss();
    }
}

bool Newcomers::make_way(std::chrono::steady_clock::time_point now, Room room)
{
    Newcomer* newcomer = oldest_;
    for (int i = 0; i < kMostPassedOver && newcomer != nullptr; ++i) {
        if (newcomer->since_ + kLeastTime > now) {
            return false;
        }
        if (newcomer->make_way(room)) {
            return true;
        }
        newcomer = newcomer->newer_;
    }
    return false;
}

Newcomer::Newcomer(Newcomers& all, std::chrono::steady_clock::time_point now)
    : all_(all), since_(now), older_(all.newest_)
{
    (older_ != nullptr ? older_->newer_ : all.oldest_) = this;
    all.newest_ = this;
}

Newcomer::~Newcomer()
{
    (newer_ != nullptr ? newer_->older_ : all_.newest_) = older_;
    (older_ != nullptr ? older_->newer_ : all_.oldest_) = newer_;
}

}  // namespace postern::session
