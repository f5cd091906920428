#include "log/logger.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <thread>

#include "base/text.h"
#include "log/target.h"
#include "log/testing.h"

namespace postern::log {
namespace {

namespace fs = std::filesystem;

// What precedes the message of an info line of this thread.
std::string info_prefix(const std::string& text)
{
    return text.substr(0, text.find(": ") + 2);
}

TEST_F(LoggerTest, LineIsAsNginxWritesIt)
{
    const std::time_t before = std::time(nullptr);
    logger(file_target("log")).write(LogLevel::warn, "client timed out", 17);
    const std::time_t after = std::time(nullptr);

    const std::string text = read("log");
    std::smatch parts;
    ASSERT_TRUE(std::regex_match(
        text, parts,
        std::regex(
            R"((\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[warn\] (\d+)#(\d+): \*17 client timed out\n)")))
        << text;
    EXPECT_EQ(parts[2], std::to_string(::getpid()));
    EXPECT_EQ(parts[3], std::to_string(::gettid()));

    std::tm written{};
    ASSERT_NE(::strptime(parts[1].str().c_str(), "%Y/%m/%d %H:%M:%S", &written), nullptr);
    written.tm_isdst = -1;
    const std::time_t time = std::mktime(&written);  // local time
    EXPECT_GE(time, before);
    EXPECT_LE(time, after);
}

TEST_F(LoggerTest, LineWithoutConnectionHasNoNumber)
{
    logger(file_target("log")).write(LogLevel::notice, "start worker processes");
    const std::string text = read("log");
    EXPECT_TRUE(
        std::regex_match(text, std::regex(R"([^[]*\[notice\] \d+#\d+: start worker processes\n)")))
        << text;
}

TEST_F(LoggerTest, TimeFollowsTheClock)
{
    const Logger log = logger(file_target("log"));
    log.write(LogLevel::info, "one");
    const std::time_t first = std::time(nullptr);
    while (std::time(nullptr) == first) {
        std::this_thread::sleep_until(std::chrono::system_clock::from_time_t(first + 1));
    }
    log.write(LogLevel::info, "two");
    const auto written = lines("log");
    ASSERT_EQ(written.size(), 2u);
    EXPECT_LT(written[0].substr(0, 19), written[1].substr(0, 19));
}

TEST_F(LoggerTest, EachLevelNamesItself)
{
    const Logger log = logger(file_target("log", LogLevel::debug));
    for (int level = 0; level <= 7; ++level) {
        log.write(static_cast<LogLevel>(level), "x");
    }
    const auto written = lines("log");
    ASSERT_EQ(written.size(), 8u);
    const char* names[] = {"emerg", "alert", "crit", "error", "warn", "notice", "info", "debug"};
    for (std::size_t i = 0; i < written.size(); ++i) {
        EXPECT_NE(written[i].find(std::string(" [") + names[i] + "] "), std::string::npos);
    }
}

TEST_F(LoggerTest, LessSevereLinesAreDropped)
{
    const Logger log = logger(file_target("log", LogLevel::warn));
    EXPECT_TRUE(log.enabled(LogLevel::warn));
    EXPECT_FALSE(log.enabled(LogLevel::notice));
    log.write(LogLevel::notice, "quiet");
    log.write(LogLevel::warn, "heard");
    const auto written = lines("log");
    ASSERT_EQ(written.size(), 1u);
    EXPECT_TRUE(written[0].ends_with(": heard"));
}

TEST_F(LoggerTest, EachSinkHasItsOwnLevel)
{
    const Logger log({{open(file_target("errors")), LogLevel::error},
                      {open(file_target("all")), LogLevel::info}});
    EXPECT_TRUE(log.enabled(LogLevel::info));
    EXPECT_FALSE(log.enabled(LogLevel::debug));
    log.write(LogLevel::info, "hello");
    log.write(LogLevel::error, "broken");
    EXPECT_EQ(lines("errors").size(), 1u);
    EXPECT_EQ(lines("all").size(), 2u);
}

TEST_F(LoggerTest, LoggerWithoutSinksDropsEverything)
{
    for (const Logger& log : {Logger(), Logger(std::vector<Logger::Sink>())}) {
        EXPECT_FALSE(log.enabled(LogLevel::emerg));
        log.write(LogLevel::emerg, "nobody hears");
    }
}

TEST_F(LoggerTest, ArgumentsAreFormattedOnlyIfHeard)
{
    const Logger log = logger(file_target("log", LogLevel::error));
    log.line(LogLevel::error, "{} and {}", 1, "two");
    log.line(LogLevel::info, "{}", "three");
    const auto written = lines("log");
    ASSERT_EQ(written.size(), 1u);
    EXPECT_TRUE(written[0].ends_with(": 1 and two"));
}

TEST_F(LoggerTest, OneEventStaysOneLine)
{
    using namespace std::string_literals;
    logger(file_target("log")).write(LogLevel::info, "a\r\nb\tc\0d\x1b[31m\x7f \\x0a \xc3\xa9"s);
    const std::string text = read("log");
    EXPECT_EQ(text.substr(info_prefix(text).size()),
              "a\\x0d\\x0ab\\x09c\\x00d\\x1b[31m\\x7f \\x0a \xc3\xa9\n");
}

TEST_F(LoggerTest, LineIsCutAt2048Bytes)
{
    const Logger log = logger(file_target("log"));
    log.write(LogLevel::info, "");
    const std::size_t prefix = read("log").size() - 1;
    const std::size_t fits = 2047 - prefix;

    log.write(LogLevel::info, std::string(fits - 1, 'a'));
    log.write(LogLevel::info, std::string(fits, 'b'));
    log.write(LogLevel::info, std::string(fits + 1, 'c'));
    log.write(LogLevel::info, std::string(100'000, 'd'));
    const auto written = lines("log");
    ASSERT_EQ(written.size(), 5u);
    EXPECT_EQ(written[1].size(), 2046u);
    EXPECT_EQ(written[2].size(), 2047u);
    EXPECT_EQ(written[3].size(), 2047u);
    EXPECT_EQ(written[4].size(), 2047u);
    EXPECT_EQ(written[3].substr(prefix), std::string(fits, 'c'));
}

TEST_F(LoggerTest, CutKeepsEscapesAndCharactersWhole)
{
    const Logger log = logger(file_target("log"));
    log.write(LogLevel::info, "");
    const std::size_t prefix = read("log").size() - 1;
    const std::size_t fits = 2047 - prefix;

    log.write(LogLevel::info, std::string(fits - 4, 'a') + "\n");
    log.write(LogLevel::info, std::string(fits - 3, 'a') + "\n");
    log.write(LogLevel::info, std::string(fits - 2, 'a') + "\xe2\x82\xac");
    log.write(LogLevel::info, std::string(fits - 3, 'a') + "\xe2\x82\xac");
    log.write(LogLevel::info, std::string(fits - 3, 'a') + "\xe2\x82\xac!");
    const auto written = lines("log");
    ASSERT_EQ(written.size(), 6u);
    EXPECT_EQ(written[1].substr(prefix), std::string(fits - 4, 'a') + "\\x0a");
    EXPECT_EQ(written[2].substr(prefix), std::string(fits - 3, 'a'));
    EXPECT_EQ(written[3].substr(prefix), std::string(fits - 2, 'a'));
    EXPECT_EQ(written[4].substr(prefix), std::string(fits - 3, 'a') + "\xe2\x82\xac");
    EXPECT_EQ(written[5].substr(prefix), std::string(fits - 3, 'a') + "\xe2\x82\xac");
}

TEST_F(LoggerTest, PartsMakeOneLine)
{
    using namespace std::string_literals;
    const Logger log = logger(file_target("log"));
    log.write_parts(LogLevel::info, {"client ", "", "a", "\n", " b\x7f"}, 7);
    log.write_parts(LogLevel::info, {std::string(2000, 'a'), std::string(100, 'b'), "c"});
    log.write_parts(LogLevel::info, {std::string(1000, 'a'), std::string(1000, '\n'), "c"});
    const auto written = lines("log");
    ASSERT_EQ(written.size(), 3u);
    EXPECT_TRUE(written[0].ends_with(": *7 client a\\x0a b\\x7f")) << written[0];
    // What follows a part that was cut is gone too, even if it would fit.
    EXPECT_EQ(written[1].size(), 2047u);
    EXPECT_TRUE(written[1].ends_with(
        "ab" + std::string(written[1].size() - written[1].find("ab") - 2, 'b')));
    EXPECT_TRUE(written[2].ends_with("\\x0a")) << written[2];
}

TEST_F(LoggerTest, AForkedProcessWritesItsOwnNumbers)
{
    const Logger log = logger(file_target("log"));
    log.write(LogLevel::info, "parent");
    const pid_t child = ::fork();
    if (child == 0) {
        log.write(LogLevel::info, "child");
        ::_exit(0);
    }
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    log.write(LogLevel::info, "parent");
    const auto written = lines("log");
    ASSERT_EQ(written.size(), 3u);
    const std::string own = " " + std::to_string(::getpid()) + "#" + std::to_string(::gettid());
    const std::string its = " " + std::to_string(child) + "#" + std::to_string(child);
    EXPECT_TRUE(written[0].ends_with(own + ": parent")) << written[0];
    EXPECT_TRUE(written[1].ends_with(its + ": child")) << written[1];
    EXPECT_TRUE(written[2].ends_with(own + ": parent")) << written[2];
}

TEST_F(LoggerTest, LinesOfManyThreadsStayWhole)
{
    constexpr int kThreads = 4;
    constexpr int kLines = 500;
    const Logger log = logger(file_target("log"));
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&log, i] {
            for (int n = 0; n < kLines; ++n) {
                log.line(LogLevel::info, "thread {} line {} {}.", i, n, std::string(300, 'x'));
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    const std::regex whole(
        R"([\d/]{10} [\d:]{8} \[info\] \d+#(\d+): thread (\d) line (\d+) x{300}\.)");
    int next[kThreads] = {};
    std::map<std::string, std::string> thread_ids;
    for (const std::string& line : lines("log")) {
        std::smatch parts;
        ASSERT_TRUE(std::regex_match(line, parts, whole)) << line;
        const int thread = std::stoi(parts[2]);
        EXPECT_EQ(std::stoi(parts[3]), next[thread]++);
        thread_ids[parts[1]] = parts[2];
    }
    for (const int count : next) {
        EXPECT_EQ(count, kLines);
    }
    EXPECT_EQ(thread_ids.size(), static_cast<std::size_t>(kThreads));
}

TEST_F(LoggerTest, NewFileIsReadableByAllAndClosedOnExec)
{
    const mode_t mask = ::umask(0);
    open(file_target("log"));
    ::umask(mask);
    struct stat status{};
    ASSERT_EQ(::stat((folder_ / "log").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0644u);

    const auto keeper = open(file_target("log"));
    bool found = false;
    for (int descriptor = 3; descriptor < 64; ++descriptor) {
        struct stat other{};
        if (::fstat(descriptor, &other) == 0 && other.st_ino == status.st_ino &&
            other.st_dev == status.st_dev) {
            found = true;
            EXPECT_NE(::fcntl(descriptor, F_GETFD) & FD_CLOEXEC, 0);
            EXPECT_NE(::fcntl(descriptor, F_GETFL) & O_APPEND, 0);
        }
    }
    EXPECT_TRUE(found);
}

TEST_F(LoggerTest, FileIsAppendedTo)
{
    std::ofstream(folder_ / "log") << "old\n";
    logger(file_target("log")).write(LogLevel::info, "new");
    const auto written = lines("log");
    ASSERT_EQ(written.size(), 2u);
    EXPECT_EQ(written[0], "old");
}

TEST_F(LoggerTest, FileThatCannotBeOpenedIsNamed)
{
    std::string error;
    const LogTarget missing = file_target("missing/log");
    EXPECT_FALSE(targets_.open(missing, error));
    EXPECT_EQ(error, "open() \"" + missing.path + "\" failed (2: No such file or directory)");
}

TEST_F(LoggerTest, OneFileIsOpenedOnce)
{
    const auto first = open(file_target("log", LogLevel::info));
    EXPECT_EQ(first, open(file_target("log", LogLevel::error)));
    EXPECT_NE(first, open(file_target("other")));
}

TEST_F(LoggerTest, ReopenFollowsARotation)
{
    const Logger log = logger(file_target("log"));
    log.write(LogLevel::info, "before");
    fs::rename(folder_ / "log", folder_ / "log.1");
    log.write(LogLevel::info, "between");
    EXPECT_TRUE(targets_.reopen().empty());
    log.write(LogLevel::info, "after");

    EXPECT_EQ(lines("log.1").size(), 2u);
    const auto written = lines("log");
    ASSERT_EQ(written.size(), 1u);
    EXPECT_TRUE(written[0].ends_with(": after"));
}

TEST_F(LoggerTest, ReopenThatFailsKeepsTheOldFile)
{
    fs::create_directory(folder_ / "logs");
    const LogTarget target = file_target("logs/log");
    const Logger log = logger(target);
    fs::rename(folder_ / "logs", folder_ / "moved");
    const auto errors = targets_.reopen();
    ASSERT_EQ(errors.size(), 1u);
    EXPECT_EQ(errors[0], "open() \"" + target.path + "\" failed (2: No such file or directory)");
    log.write(LogLevel::info, "still here");
    EXPECT_EQ(lines("moved/log").size(), 1u);
}

TEST_F(LoggerTest, NothingIsLostWhileFilesAreReopened)
{
    const Logger log = logger(file_target("log"));
    std::atomic<bool> done = false;
    std::vector<std::thread> threads;
    constexpr int kLines = 2000;
    for (int i = 0; i < 2; ++i) {
        threads.emplace_back([&log] {
            for (int n = 0; n < kLines; ++n) {
                log.write(LogLevel::info, "line");
            }
        });
    }
    std::thread waiter([&] {
        for (auto& thread : threads) {
            thread.join();
        }
        done = true;
    });
    int rotations = 0;
    while (!done && rotations < 200) {
        fs::rename(folder_ / "log", folder_ / fmt::format("log.{}", rotations));
        EXPECT_TRUE(targets_.reopen().empty());
        ++rotations;
    }
    waiter.join();
    std::size_t written = lines("log").size();
    for (int i = 0; i < rotations; ++i) {
        written += lines(fmt::format("log.{}", i)).size();
    }
    EXPECT_GT(rotations, 0);
    EXPECT_EQ(written, 2u * kLines);
}

TEST_F(LoggerTest, FilesAreGivenToTheWorkersUser)
{
    const bool is_root = ::geteuid() == 0;  // anybody else can give a file only to himself
    const unsigned user = is_root ? 12345 : ::geteuid();
    const unsigned group = is_root ? 23456 : ::getegid();
    const Logger log = logger(file_target("log"));
    const auto owner = [&] {
        struct stat status{};
        ::stat((folder_ / "log").c_str(), &status);
        return std::pair(status.st_uid, status.st_gid);
    };
    targets_.give_to(user, group);
    EXPECT_EQ(owner(), std::pair(user, group));

    fs::remove(folder_ / "log");
    EXPECT_TRUE(targets_.reopen().empty());
    EXPECT_EQ(owner(), std::pair(user, group));
}

TEST_F(LoggerTest, DevicesAreNotGivenAway)
{
    struct stat before{};
    struct stat after{};
    ASSERT_EQ(::stat("/dev/full", &before), 0);
    const auto keeper = open({.kind = LogTarget::Kind::file, .path = "/dev/full"});
    targets_.give_to(before.st_uid + 1, before.st_gid + 1);
    ASSERT_EQ(::stat("/dev/full", &after), 0);
    EXPECT_EQ(after.st_uid, before.st_uid);
    EXPECT_EQ(after.st_gid, before.st_gid);
}

TEST_F(LoggerTest, FullDiskStopsNobody)
{
    const Logger log({{open({.kind = LogTarget::Kind::file, .path = "/dev/full"}), LogLevel::info},
                      {open(file_target("log")), LogLevel::info}});
    for (int i = 0; i < 100; ++i) {
        log.write(LogLevel::info, "a line");
    }
    EXPECT_EQ(lines("log").size(), 100u);
}

// A pipe in the place of a file or of standard error, which nobody reads.
TEST_F(LoggerTest, FullPipeStopsNobody)
{
    const fs::path path = folder_ / "pipe";
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ASSERT_GE(reader, 0);
    const Logger log = logger(file_target("pipe"));
    const std::string message(2000, 'x');
    for (int i = 0; i < 200; ++i) {
        log.write(LogLevel::info, message);
    }
    char bytes[4096];
    std::size_t arrived = 0;
    for (ssize_t count; (count = ::read(reader, bytes, sizeof(bytes))) > 0;) {
        arrived += static_cast<std::size_t>(count);
    }
    ::close(reader);
    EXPECT_GT(arrived, 4096u);
    EXPECT_LT(arrived, 200u * message.size());
}

class StandardErrorTest : public LoggerTest
{
protected:
    StandardErrorTest() : saved_(::dup(STDERR_FILENO))
    {
        EXPECT_EQ(::pipe2(pipe_, O_CLOEXEC), 0);
        ::dup2(pipe_[1], STDERR_FILENO);
    }
    ~StandardErrorTest() override
    {
        ::dup2(saved_, STDERR_FILENO);
        ::close(saved_);
        ::close(pipe_[0]);
        ::close(pipe_[1]);
    }

    int saved_;
    int pipe_[2] = {-1, -1};
};

TEST_F(StandardErrorTest, LineGoesThere)
{
    const LogTarget target{.kind = LogTarget::Kind::standard_error, .level = LogLevel::info};
    logger(target).write(LogLevel::info, "hello", 3);
    char bytes[256];
    const ssize_t count = ::read(pipe_[0], bytes, sizeof(bytes));
    ASSERT_GT(count, 0);
    EXPECT_TRUE(std::string_view(bytes, static_cast<std::size_t>(count)).ends_with(": *3 hello\n"));
}

TEST_F(StandardErrorTest, FullPipeStopsNobody)
{
    const LogTarget target{.kind = LogTarget::Kind::standard_error, .level = LogLevel::info};
    const Logger log = logger(target);
    for (int i = 0; i < 200; ++i) {
        log.write(LogLevel::info, std::string(2000, 'x'));  // would wait for ever
    }
    EXPECT_EQ(targets_.reopen().size(), 0u);
}

// Whoever holds an old file open keeps its blocks from being freed.
TEST_F(StandardErrorTest, FollowsItsFile)
{
    const auto say = [](const std::string& text) {
        EXPECT_EQ(::write(STDERR_FILENO, text.data(), text.size()),
                  static_cast<ssize_t>(text.size()));
    };
    const auto log = open(file_target("log"));
    const auto other = open(file_target("other"));
    targets_.redirect_standard_error(folder_ / "log");
    say("one\n");
    std::filesystem::rename(folder_ / "log", folder_ / "log.1");
    EXPECT_TRUE(targets_.reopen().empty());
    say("two\n");
    std::filesystem::rename(folder_ / "log", folder_ / "log.2");
    EXPECT_EQ(targets_.replace_file((folder_ / "log").string(), other->descriptor()), "");
    say("three\n");
    EXPECT_EQ(read("log.1"), "one\n");
    EXPECT_EQ(read("log.2"), "two\n");
    EXPECT_EQ(read("other"), "three\n");
}

TEST(LogErrno, IsAppendedAsNginxDoes)
{
    EXPECT_EQ(errno_text(ETIMEDOUT), " (110: Connection timed out)");
    EXPECT_EQ(errno_text(ECONNREFUSED), " (111: Connection refused)");
}

}  // namespace
}  // namespace postern::log
