#include "bench/soak.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <random>

#include "base/text.h"
#include "bench/measurement.h"
#include "bench/session.h"
#include "bench/sockets.h"
#include "bench/standard_input.h"

namespace postern::bench {

namespace {

using namespace std::chrono_literals;
using Seconds = std::chrono::duration<double>;

constexpr auto kTurn = 20ms;
constexpr auto kLost = 30s;  // whoever waits longer for an answer was forgotten
constexpr auto kIdleMost = 60s;
constexpr auto kRetry = 100ms;  // after a failure
constexpr std::uint32_t kMostRequests = 20;
constexpr std::uint32_t kRequestsForAnIdleTime = 3000;
constexpr std::uint64_t kBigBytes = 4 << 20;

double now_in_seconds()
{
    return Seconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

class Soak final : public Session::Owner
{
public:
    explicit Soak(const SoakOptions& options)
        : options_(options.load), shared_(options_, poller_, *this), input_(poller_)
    {
        raise_descriptor_limit();
        for (std::uint32_t i = 0; i < options_.clients; ++i) {
            visitors_.emplace_back(shared_, login_script(options_, i), login_name(options_, i));
            plan(visitors_.back());
        }
        measurement_.begin();
    }

    int run()
    {
        while (!is_stopping_ || present_ > 0) {
            poller_.wait(kTurn);
            while (const auto line = input_.take_line()) {
                obey(*line);
            }
            is_stopping_ = is_stopping_ || input_.ended();
            const auto now = Clock::now();
            for (Visitor& visitor : visitors_) {
                go_on(visitor, now);
            }
        }
        look();
        return 0;
    }

private:
    enum class Phase : unsigned char { away, waits_for_answer, pauses, leaves };

    struct Visitor {
        Visitor(Session::Shared& shared, Script all_steps, std::string own_name)
            : script(std::move(all_steps)), name(std::move(own_name)), session(shared, script)
        {
        }

        Script script;  // the session refers to it
        std::string name;
        std::string expected;
        Session session;
        Step step;
        Phase phase = Phase::away;
        std::uint32_t requests_left = 0;
        Clock::time_point due;
    };

    void on_open(Session& session) override
    {
        measurement_.unit(session.since());
        Visitor& visitor = visitor_of(session);
        visitor.requests_left = 1 + random_() % kMostRequests;
        // Whose mailbox is it?
        visitor.expected = fmt::format("{}{} ", answer_begins(), visitor.name);
        visitor.step = {command("WHO"), visitor.expected};
        ask(visitor);
    }

    void on_answer(Session& session) override
    {
        Visitor& visitor = visitor_of(session);
        if (visitor.phase == Phase::leaves) {
            session.close();
            leave(visitor);
            return;
        }
        ++requests_;
        visitor.phase = Phase::pauses;
        plan(visitor);
        if (random_() % kRequestsForAnIdleTime == 0) {
            visitor.due = Clock::now() + random_time(kIdleMost);
        }
    }

    void on_failure(Session& session, const std::string& why, bool was_open) override
    {
        Visitor& visitor = visitor_of(session);
        const double since = now_in_seconds() - Seconds(Clock::now() - session.since()).count();
        say(
            fmt::format("{{\"failed\": \"{}\", \"relayed\": {}, \"name\": \"{}\", \"at\": {:.3f}, "
                        "\"since\": {:.3f}}}",
                        escape_for_json(why), was_open, visitor.name, now_in_seconds(), since));
        leave(visitor);
        visitor.due += kRetry;
    }

    void on_bytes(std::uint64_t bytes) override { measurement_.bytes(bytes); }

    static std::string escape_for_json(std::string text)
    {
        std::ranges::replace(text, '\\', '/');
        std::ranges::replace(text, '"', '\'');
        return text;
    }

    Visitor& visitor_of(const Session& session)
    {
        return *std::ranges::find_if(
            visitors_, [&](const Visitor& visitor) { return &visitor.session == &session; });
    }

    void obey(std::string_view line)
    {
        if (line.starts_with("pace ")) {
            pace_ = Seconds(std::stod(std::string(line.substr(5))));
        } else if (line == "look") {
            look();
        } else if (line == "stop") {
            is_stopping_ = true;
        }
    }

    // What was done since the last time.
    void look()
    {
        say(fmt::format("{{\"requests\": {}, \"present\": {}, \"logins\": {}}}",
                        std::exchange(requests_, 0), present_, measurement_.result()));
        measurement_ = Measurement();
        measurement_.begin();
    }

    Clock::duration random_time(Clock::duration most)
    {
        std::uniform_real_distribution<double> share(0, 1);
        return std::chrono::duration_cast<Clock::duration>(share(random_) * most);
    }

    void plan(Visitor& visitor)
    {
        const auto most = std::chrono::duration_cast<Clock::duration>(2 * pace_);
        visitor.due = Clock::now() + random_time(most);
    }

    void leave(Visitor& visitor)
    {
        --present_;
        visitor.phase = Phase::away;
        plan(visitor);
    }

    void ask(Visitor& visitor)
    {
        visitor.phase = Phase::waits_for_answer;
        visitor.session.ask(visitor.step);
    }

    void go_on(Visitor& visitor, Clock::time_point now)
    {
        if (visitor.session.waits() && visitor.session.since() + kLost < now) {
            const bool was_open = visitor.session.is_open();
            visitor.session.close();
            on_failure(visitor.session, "no answer", was_open);
        }
        const bool is_due = visitor.due <= now || is_stopping_;
        if (visitor.phase == Phase::away && is_due && !is_stopping_) {
            ++present_;
            visitor.phase = Phase::waits_for_answer;
            visitor.session.open();
        } else if (visitor.phase == Phase::pauses && is_due) {
            if (is_stopping_ || visitor.requests_left == 0) {
                visitor.phase = Phase::leaves;
                visitor.step = goodbye();
                visitor.session.ask(visitor.step);
            } else {
                --visitor.requests_left;
                visitor.step = request();
                ask(visitor);
            }
        }
    }

    bool is_imap() const { return options_.protocol == Protocol::imap; }
    std::string command(std::string_view text) const
    {
        return fmt::format("{}{}\r\n", is_imap() ? "n " : "", text);
    }
    std::string_view answer_begins() const
    {
        constexpr std::array<std::string_view, kProtocols> kBegins{"n OK ", "+OK ", "250 "};
        return kBegins[static_cast<std::size_t>(options_.protocol)];
    }

    // Most are small, as mail is; each byte that comes or goes is marked.
    Step request()
    {
        const auto kind = random_() % 10;
        if (kind < 5) {
            return {command("NOOP"), answer_begins()};
        }
        const std::uint64_t bytes = random_() % 100 == 0 ? kBigBytes + random_() % 1000
                                                         : 1 + random_() % (64 << random_() % 11);
        Step step{command(fmt::format("{} {} {}", kind < 8 ? "BULK" : "SINK", bytes, ++mark_)),
                  answer_begins()};
        (kind < 8 ? step.filler_down : step.filler_up) = bytes;
        step.mark = mark_;
        return step;
    }

    Step goodbye() const
    {
        switch (options_.protocol) {
        case Protocol::imap:
            return {"n LOGOUT\r\n", "n OK ", "* "};
        case Protocol::pop3:
            return {"QUIT\r\n", "+OK "};
        case Protocol::smtp:
            break;
        }
        return {"QUIT\r\n", "221 "};
    }

    LoadOptions options_;
    Poller poller_;
    Session::Shared shared_;
    StandardInput input_;
    Measurement measurement_;  // of logins
    std::deque<Visitor> visitors_;
    std::mt19937 random_{std::random_device{}()};
    Mark mark_ = static_cast<Mark>(random_());  // of the last stream
    Seconds pace_ = 1s;
    std::uint64_t requests_ = 0;
    std::uint64_t present_ = 0;
    bool is_stopping_ = false;
};

}  // namespace

int run_soak(const SoakOptions& options)
{
    return Soak(options).run();
}

}  // namespace postern::bench
