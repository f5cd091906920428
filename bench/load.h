#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "bench/measurement.h"
#include "bench/session.h"

namespace postern::bench {

// The clients of one run: opens their sessions and turns the poller. What is done with an open
// session is for the kinds of work that derive from it.
class Load : public Session::Owner
{
public:
    explicit Load(const LoadOptions& options);
    virtual ~Load() = default;
    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;

    // The exit status of the program.
    int run();

    void on_open(Session& session) final;
    void on_failure(Session& session, const std::string& why, bool was_open) final;
    void on_bytes(std::uint64_t bytes) final { measurement_.bytes(bytes); }

protected:
    // All that this work does, until it says its last word.
    virtual void work() = 0;
    // The session is logged in, and resumed if that is wanted.
    virtual void opened(Session& session) = 0;
    // It is closed, and the error is counted.
    virtual void failed(Session& session) = 0;

    const LoadOptions& options() const { return options_; }
    const std::vector<std::unique_ptr<Session>>& sessions() const { return sessions_; }
    Poller& poller() { return poller_; }
    Measurement& measurement() { return measurement_; }
    const Measurement& measurement() const { return measurement_; }
    // Errors before this measurement are not forgotten.
    void measure_anew();

    // How many sessions may log in at the same time.
    void set_openers(std::size_t most) { openers_ = most; }
    // In its turn.
    void open(Session& session) { to_open_.push_back(&session); }
    void open_all();
    // Now, whatever it is.
    void reopen(Session& session);
    std::size_t open_count() const { return open_; }
    void close_all();

    // One round of events. False if it is of no use to go on: too many errors, or nothing comes.
    bool turn();
    // As many until `finished` is, or there is no use.
    template <typename Finished>
    bool turn_until(Finished finished)
    {
        while (!finished()) {
            if (!turn()) {
                return false;
            }
        }
        return true;
    }
    // Waits for ever, as nothing has to come.
    void rest();
    // Who still waits for an answer, and has done so for a long time, has lost it: an error each.
    void count_lost_answers();
    bool too_many_errors() const;

private:
    void start(Session& session);

    LoadOptions options_;
    Poller poller_;
    Measurement measurement_;
    Session::Shared shared_;
    std::vector<Script> scripts_;  // of each user
    std::vector<std::unique_ptr<Session>> sessions_;
    std::deque<Session*> to_open_;
    std::size_t openers_;
    std::size_t opening_ = 0;
    std::size_t open_ = 0;
    std::uint64_t errors_before_ = 0;  // of earlier measurements
    Clock::time_point last_event_;
};

// Each kind of work, in the files work_*.cpp.
std::unique_ptr<Load> make_load(const LoadOptions& options);
std::unique_ptr<Load> make_logins(const LoadOptions& options);
std::unique_ptr<Load> make_requests(const LoadOptions& options);
std::unique_ptr<Load> make_idle(const LoadOptions& options);
std::unique_ptr<Load> make_storm(const LoadOptions& options);

}  // namespace postern::bench
