#include "process/log_handover.h"

#include <atomic>
#include <csignal>
#include <thread>

#include "log/testing.h"

namespace postern::process {
namespace {

namespace fs = std::filesystem;

// The fixture's own targets are the master's; a worker's are copies, as after a fork.
class LogHandoverTest : public log::LoggerTest
{
protected:
    LogHandoverTest()
    {
        ::sigemptyset(&usr1_);
        ::sigaddset(&usr1_, SIGUSR1);
        ::pthread_sigmask(SIG_BLOCK, &usr1_, &old_mask_);
        auto handover = make_log_handover();
        EXPECT_TRUE(handover);
        handover_ = std::move(*handover);
    }
    ~LogHandoverTest() override
    {
        const timespec now{};
        ::sigtimedwait(&usr1_, nullptr, &now);  // what is pending
        ::pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
    }

    struct File {
        std::string name;
        std::shared_ptr<log::Target> master;
        log::Logger worker;
    };

    File file(const std::string& name, const std::string& workers_name)
    {
        std::string error;
        const LogTarget target = file_target(workers_name);
        auto opened = worker_targets_.open(target, error);
        EXPECT_TRUE(opened) << error;
        return {name, open(file_target(name)), log::Logger({{std::move(opened), target.level}})};
    }
    File file(const std::string& name) { return file(name, name); }

    // Many files with long names, more than the socket holds.
    std::vector<File> many_files()
    {
        std::vector<File> files;
        for (int i = 0; i < 400; ++i) {
            files.push_back(file(fmt::format("{:0>200}", i)));
        }
        return files;
    }

    void rotate(const std::vector<File>& files)
    {
        for (const File& file : files) {
            fs::remove(folder_ / file.name);
        }
        EXPECT_TRUE(targets_.reopen().empty());
    }

    void send(const log::Logger& logger = {})
    {
        handover_.sender.send(targets_, ::getpid(), logger);
    }

    static std::size_t open_descriptors()
    {
        std::size_t count = 0;
        for ([[maybe_unused]] const auto& entry : fs::directory_iterator("/proc/self/fd")) {
            ++count;
        }
        return count;
    }

    log::Targets worker_targets_;
    LogHandover handover_;
    sigset_t usr1_{};
    sigset_t old_mask_{};
};

TEST_F(LogHandoverTest, TheWorkerFollowsARotation)
{
    const File log = file("log");
    fs::rename(folder_ / "log", folder_ / "log.1");
    EXPECT_TRUE(targets_.reopen().empty());
    log.worker.write(LogLevel::info, "before");
    send();
    const std::size_t before = open_descriptors();
    EXPECT_TRUE(handover_.receiver.receive(worker_targets_).empty());
    EXPECT_EQ(open_descriptors(), before);
    log.worker.write(LogLevel::info, "after");
    EXPECT_EQ(lines("log.1").size(), 1u);
    ASSERT_EQ(lines("log").size(), 1u);
    EXPECT_TRUE(lines("log")[0].ends_with(": after"));
}

// As a worker that goes on with an older configuration.
TEST_F(LogHandoverTest, FilesThatTheWorkerDoesNotKnowAreDropped)
{
    const File other = file("new", "old");
    const std::size_t before = open_descriptors();
    send();
    EXPECT_TRUE(handover_.receiver.receive(worker_targets_).empty());
    EXPECT_EQ(open_descriptors(), before);
    other.worker.write(LogLevel::info, "line");
    EXPECT_EQ(lines("old").size(), 1u);
    EXPECT_TRUE(lines("new").empty());
}

TEST_F(LogHandoverTest, MoreFilesThanTheSocketHolds)
{
    const auto files = many_files();
    rotate(files);
    std::atomic<bool> done = false;
    std::vector<std::string> problems;
    std::thread worker([&] {
        for (bool last = false; !last;) {
            int number = 0;
            ::sigwait(&usr1_, &number);
            last = done;
            std::ranges::move(handover_.receiver.receive(worker_targets_),
                              std::back_inserter(problems));
        }
    });
    send();
    done = true;
    ::kill(::getpid(), SIGUSR1);
    worker.join();
    EXPECT_TRUE(problems.empty()) << problems[0];
    for (const File& file : files) {
        file.worker.write(LogLevel::info, "line");
        EXPECT_EQ(lines(file.name).size(), 1u);
    }
}

TEST_F(LogHandoverTest, AWorkerThatTakesNothingHoldsUpNobody)
{
    const auto files = many_files();
    const auto begin = std::chrono::steady_clock::now();
    send(logger(file_target("master")));
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
    ASSERT_EQ(lines("master").size(), 1u);
    EXPECT_NE(lines("master")[0].find("does not take the log files"), std::string::npos);
}

TEST_F(LogHandoverTest, AWorkerThatHasGoneIsNoProblem)
{
    const auto files = many_files();
    handover_.receiver = {};
    send(logger(file_target("master")));
    EXPECT_TRUE(lines("master").empty());
}

}  // namespace
}  // namespace postern::process
