#include "session/newcomers.h"

namespace postern::session {

void Newcomers::dismiss()
{
    for (Newcomer* newcomer = first_; newcomer != nullptr; newcomer = newcomer->next_) {
        newcomer->dismiss();
    }
}

Newcomer::Newcomer(Newcomers& all) : all_(all), next_(all.first_)
{
    if (next_ != nullptr) {
        next_->previous_ = this;
    }
    all.first_ = this;
}

Newcomer::~Newcomer()
{
    (previous_ != nullptr ? previous_->next_ : all_.first_) = next_;
    if (next_ != nullptr) {
        next_->previous_ = previous_;
    }
}

}  // namespace postern::session
