#include "process/worker.h"

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

private:
    std::vector<std::unique_ptr<EventLoop>> loops_;
    std::vector<std::thread> threads_;
    std::atomic<unsigned> running_;
};

void reopen(log::Targets& targets, const log::Logger& logger)
{
    logger.write(LogLevel::notice, "reopening logs");
    for (const std::string& problem : targets.reopen()) {
        logger.write(LogLevel::emerg, problem);
    }
}

}  // namespace

int run_worker(const config::Settings& settings, const Logs& logs, log::Targets& targets,
               const tls::Contexts& tls, std::vector<listen::Socket>& sockets)
{
    std::optional<auth::HashPool> hash_pool(std::in_place);
    Shared shared{.settings = settings,
                  .logs = logs,
                  .tls = tls,
                  .sockets = sockets,
                  .hash_pool = *hash_pool,
                  .users = open_users(settings, logs)};
    std::optional<Threads> threads;
    try {
        threads.emplace(shared);
    } catch (const std::system_error& error) {
        logs.main.line(LogLevel::emerg, "event loop could not start: {}", error.what());
        return kWorkerCannotStart;
    }
    std::optional<net::Clock::time_point> limit;
    for (;;) {
        const Signal signal = wait_for_signal(limit);
        switch (signal.number) {
        case SIGQUIT:
            logs.main.write(LogLevel::notice, "gracefully shutting down");
            set_title("worker process is shutting down");
            threads->drain();
            if (settings.worker_shutdown_timeout.count() > 0 && !limit) {
                limit = net::Clock::now() + settings.worker_shutdown_timeout;
            }
            break;
        case SIGUSR1:
            reopen(targets, logs.main);
            break;
        case kTimedOut:
            logs.main.write(LogLevel::notice, "shutdown timeout");
            logs.main.write(LogLevel::notice, "exiting");
            threads->end_sessions();
            limit.reset();
            break;
        case SIGTERM:
        case SIGINT:
            logs.main.write(LogLevel::notice, "exiting");
            threads->stop();
            limit.reset();
            break;
        default:
            if (signal.number == kLoopsEnded) {
                hash_pool.reset();  // it delivers to the loops
                threads.reset();
                logs.main.write(LogLevel::notice, "exit");
                return 0;
            }
        }
    }
}

}  // namespace postern::process
