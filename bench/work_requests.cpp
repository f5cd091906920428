// Open sessions that ask one thing after the other: round trips, answers, bulk data.
#include "bench/measured_load.h"

namespace postern::bench {

namespace {

class Requests final : public MeasuredLoad
{
public:
    explicit Requests(const LoadOptions& options)
        : MeasuredLoad(options), step_(work_step(options)), living_(options.clients)
    {
    }

private:
    bool is_warm() const override { return answers_ >= options().clients; }
    bool is_over() const override { return living_ == 0; }

    // Nobody asks before all are open, as logins are none of what is measured.
    void opened(Session&) override
    {
        if (open_count() == living_) {
            begin();
        }
    }

    void begin()
    {
        asking_ = true;
        for (const auto& session : sessions()) {
            if (session->is_open()) {
                session->ask(step_);
            }
        }
    }

    void on_answer(Session& session) override
    {
        ++answers_;
        done(session.since());
        session.ask(step_);
    }

    // It doesn't come again: others go on, and the run has failed anyway.
    void failed(Session&) override
    {
        --living_;
        if (!asking_ && living_ > 0 && open_count() == living_) {
            begin();
        }
    }

    Step step_;
    std::uint64_t living_;
    std::uint64_t answers_ = 0;
    bool asking_ = false;
};

}  // namespace

std::unique_ptr<Load> make_requests(const LoadOptions& options)
{
    return std::make_unique<Requests>(options);
}

}  // namespace postern::bench
