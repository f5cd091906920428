// Logins: each client connects, logs in, goes, and comes again.
#include "bench/measured_load.h"

namespace postern::bench {

namespace {

class Logins final : public MeasuredLoad
{
public:
    explicit Logins(const LoadOptions& options) : MeasuredLoad(options)
    {
        set_openers(options.clients);
    }

private:
    bool is_warm() const override { return warm_logins_ >= options().clients; }

    void opened(Session& session) override
    {
        ++warm_logins_;
        done(session.since());
        reopen(session);
    }

    void on_answer(Session&) override {}  // nobody asks
    void failed(Session& session) override { open(session); }

    std::uint64_t warm_logins_ = 0;
};

}  // namespace

std::unique_ptr<Load> make_logins(const LoadOptions& options)
{
    return std::make_unique<Logins>(options);
}

}  // namespace postern::bench
