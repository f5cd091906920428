#include "process/worker.h"

#include <algorithm>
#include <csignal>
#include <system_error>
#include <thread>

#include "process/event_loop.h"
#include "process/signals.h"
#include "process/worker_limits.h"

namespace postern::process {

namespace {

// One users file for all servers that name it.
std::vector<std::shared_ptr<auth::UsersFile>> open_users(const config::Settings& settings,
                                                         const Logs& logs)
{
    std::vector<std::shared_ptr<auth::UsersFile>> users(settings.servers.size());
    for (std::size_t i = 0; i < users.size(); ++i) {
        const auto* file = std::get_if<config::AuthFile>(&settings.servers[i].auth);
        if (file == nullptr) {
            continue;
        }
        for (std::size_t j = 0; j < i && !users[i]; ++j) {
            const auto* other = std::get_if<config::AuthFile>(&settings.servers[j].auth);
            if (other != nullptr && other->path == file->path) {
                users[i] = users[j];
            }
        }
        if (!users[i]) {
            users[i] = std::make_shared<auth::UsersFile>(file->path, logs.servers[i]);
            // Bad lines are told now, and not when the first user fails to log in.
            if (const auto read = users[i]->users(); !read) {
                logs.servers[i].line(LogLevel::error,
                                     "{}, nobody can log in with \"auth_file\" in {}", read.error(),
                                     file->where.text());
            }
        }
    }
    return users;
}

// How many there may be in all loops; more are not worth counting apart.
std::size_t connections_of(const config::Settings& settings)
{
    constexpr std::size_t kMost = 1 << 20;
    return std::min<std::size_t>(
        std::size_t{settings.events.worker_connections} * settings.worker_processes, kMost);
}

// The threads of the event loops. When one ends, the signal kLoopEnded tells the main thread.
class Threads
{
public:
    explicit Threads(Shared& shared)
    {
        for (unsigned i = 0; i < shared.settings.worker_processes; ++i) {
            loops_.push_back(std::make_unique<EventLoop>(shared));
        }
        running_ = static_cast<unsigned>(loops_.size());
        for (const auto& loop : loops_) {
            const auto number = static_cast<unsigned>(threads_.size());
            threads_.emplace_back([this, &shared, &loop = *loop, number] {
                bind_event_loop(shared.settings, number, shared.logs.main);
                loop.run();
                if (--running_ == 0) {
                    kill(getpid(), kLoopsEnded);
                }
            });
        }
    }
    ~Threads()
    {
        for (std::thread& thread : threads_) {
            thread.join();
        }
    }

    void drain()
    {
        for (const auto& loop : loops_) {
            loop->drain();
        }
    }
    void stop()
    {
        for (const auto& loop : loops_) {
            loop->stop();
        }
    }
    void end_sessions()
    {
        for (const auto& loop : loops_) {
            loop->end_sessions();
        }
    }

    // Beats, if all loops have gone on since the last time.
    void beat(Heartbeat& heartbeat)
    {
        if (answers_ < questions_) {
            return;
        }
        heartbeat.beat();
        answers_ = 0;
        questions_ = static_cast<unsigned>(loops_.size());
        for (const auto& loop : loops_) {
            loop->post([this] { ++answers_; });
        }
    }

private:
    std::atomic<unsigned> answers_{0};  // outlives the loops, which may still hold a question
    unsigned questions_ = 0;
    std::vector<std::unique_ptr<EventLoop>> loops_;
    std::vector<std::thread> threads_;
    std::atomic<unsigned> running_;
};

void reopen_logs(const WorkerTask& task)
{
    task.logs.main.write(LogLevel::notice, "reopening logs");
    const auto problems = task.log_receiver != nullptr ? task.log_receiver->receive(task.targets)
                                                       : task.targets.reopen();
    for (const std::string& problem : problems) {
        task.logs.main.write(LogLevel::emerg, problem);
    }
}

}  // namespace

int run_worker(const WorkerTask& task)
{
    const log::Logger& logger = task.logs.main;
    std::optional<auth::HashPool> hash_pool(std::in_place);
    log::LineWriter line_writer(logger);
    Shared shared{.settings = task.settings,
                  .logs = task.logs,
                  .tls = task.tls,
                  .sockets = task.sockets,
                  .hash_pool = *hash_pool,
                  .users = open_users(task.settings, task.logs),
                  .admission = limit::Admission(connections_of(task.settings)),
                  .auth_failures = &task.auth_failures,
                  .access_logs = access_logs(task.settings, task.logs, line_writer)};
    shared.has_access_logs = !std::ranges::all_of(shared.access_logs, &log::AccessLogs::empty);
    std::optional<Threads> threads;
    try {
        threads.emplace(shared);
    } catch (const std::system_error& error) {
        logger.line(LogLevel::emerg, "event loop could not start: {}", error.what());
        return kWorkerCannotStart;
    }
    constexpr auto kNever = net::Clock::time_point::max();
    auto limit = kNever;
    auto next_beat = task.heartbeat == nullptr ? kNever : net::Clock::now();
    for (;;) {
        const Signal signal = wait_for_signal(std::min(limit, next_beat));
        switch (signal.number) {
        case SIGQUIT:
            logger.write(LogLevel::notice, "gracefully shutting down");
            set_title("worker process is shutting down");
            threads->drain();
            if (task.settings.worker_shutdown_timeout.count() > 0 && limit == kNever) {
                limit = net::Clock::now() + task.settings.worker_shutdown_timeout;
            }
            break;
        case SIGUSR1:
            line_writer.flush();
            reopen_logs(task);
            break;
        case kTimedOut:
            if (net::Clock::now() >= next_beat) {
                threads->beat(*task.heartbeat);
                next_beat = net::Clock::now() + task.heartbeat_interval;
            }
            if (net::Clock::now() >= limit) {
                logger.write(LogLevel::notice, "shutdown timeout");
                logger.write(LogLevel::notice, "exiting");
                threads->end_sessions();
                limit = kNever;
            }
            break;
        case SIGTERM:
        case SIGINT:
            logger.write(LogLevel::notice, "exiting");
            threads->stop();
            limit = kNever;
            break;
        default:
            if (signal.number == kLoopsEnded) {
                hash_pool.reset();  // it delivers to the loops
                threads.reset();
                logger.write(LogLevel::notice, "exit");
                return 0;
            }
        }
    }
}

}  // namespace postern::process
