#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/descriptor.h"
#include "bench/outgoing.h"
#include "bench/poller.h"
#include "bench/script.h"
#include "bench/tls_client.h"

namespace postern::bench {

// One client of the proxy: connects, logs in, and asks one thing at a time.
class Session final : public Watcher
{
public:
    // Who is told what became of it. In all of these the session does nothing, so that it can be
    // closed, asked, or opened again.
    class Owner
    {
    public:
        virtual void on_open(Session& session) = 0;
        virtual void on_answer(Session& session) = 0;
        // It is closed; `was_open`: it had logged in. `why` is for a person to read.
        virtual void on_failure(Session& session, const std::string& why, bool was_open) = 0;
        // So many bytes of filler have come or gone.
        virtual void on_bytes(std::uint64_t bytes) = 0;

    protected:
        ~Owner() = default;
    };

    // What all sessions of a process share.
    struct Shared {
        const LoadOptions& options;
        Poller& poller;
        Owner& owner;
        TlsClient tls;
        std::string input;  // where each of them reads into

        Shared(const LoadOptions& all_options, Poller& all_poller, Owner& all_owner);
    };

    // `script` outlives it.
    Session(Shared& shared, const Script& script) : shared_(shared), script_(script) {}

    void open();
    // `step` lives until the answer is there.
    void ask(const Step& step);
    void close();

    bool is_open() const { return open_; }
    bool waits() const { return doing_ != Doing::nothing; }
    bool resumed() const { return resumed_; }
    // When it began with what it does.
    Clock::time_point since() const { return since_; }

    void on_ready(std::uint32_t events) override;

private:
    enum class Doing : unsigned char { nothing, login, answer };
    enum class Outcome : unsigned char { waits, goes_on, done, failed };
    struct Received {
        Outcome outcome;  // goes_on: there were bytes
        std::uint64_t bytes = 0;
    };

    void drop();
    void report_failure();
    bool settle(bool last);
    Outcome advance(bool last);
    Outcome handshake();
    Outcome begin_tls();
    Outcome flush();
    Outcome begin_step(const Step& step);
    Outcome read_filler(bool& drained);
    Outcome read_lines(bool& drained);
    Outcome take(std::string_view input);
    Outcome take_line(std::string_view line, bool is_end);
    Received receive(char* into, std::uint64_t most, int flags);
    Received receive_tls(char* into, std::uint64_t most);
    void wait_for_output();
    Outcome fail(std::string why);

    Shared& shared_;
    const Script& script_;
    const Step* step_ = nullptr;
    Descriptor descriptor_;
    tls::SessionPtr ticket_;
    tls::SslPtr ssl_;
    Outgoing outgoing_;
    std::string partial_;  // a line that has not come to its end
    std::string why_;
    std::uint64_t filler_left_ = 0;
    Clock::time_point since_;
    Doing doing_ = Doing::nothing;
    bool handshaking_ = false;
    bool resumed_ = false;
    bool open_ = false;
    bool watches_output_ = false;
};

}  // namespace postern::bench
