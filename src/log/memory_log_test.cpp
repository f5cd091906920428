#include "log/memory_log.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "log/testing.h"

namespace postern::log {
namespace {

using Strings = std::vector<std::string>;

constexpr std::size_t kBytes = 1000;
constexpr std::string_view kHead = "MEMLOG  00000018 t.conf\n";

std::shared_ptr<MemoryLog> open_log(std::size_t bytes = kBytes)
{
    auto opened = MemoryLog::open("t.conf", bytes);
    EXPECT_TRUE(opened) << opened.error();
    return std::static_pointer_cast<MemoryLog>(*opened);
}

void write(MemoryLog& log, std::string_view line)
{
    log.write(LogLevel::info, line);
}

// What an administrator does with a dump (docs/logging.md): what is behind NEXT, then what is
// before it, without the head and the zeros. The first line may be cut.
std::string read_in_order(std::string_view dump)
{
    const std::size_t next = std::stoul(std::string(dump.substr(8, 8)), nullptr, 16);
    const std::size_t head = dump.find('\n') + 1;
    std::string text(dump.substr(next));
    text += dump.substr(head, next - head);
    std::erase(text, '\0');
    return text;
}

Strings lines_of(std::string_view text)
{
    std::istringstream stream{std::string(text)};
    Strings lines;
    for (std::string line; std::getline(stream, line);) {
        lines.push_back(line);
    }
    return lines;
}

TEST(MemoryLog, BeginsWithALineThatSaysWhereItIs)
{
    const auto log = open_log();
    EXPECT_EQ(log->memory().size(), kBytes);
    EXPECT_TRUE(log->memory().starts_with(kHead)) << log->memory().substr(0, 40);
    EXPECT_EQ(read_in_order(log->memory()), "");
    write(*log, "one\n");
    EXPECT_TRUE(log->memory().starts_with("MEMLOG  0000001c t.conf\none\n"));
    write(*log, "two\n");
    EXPECT_EQ(read_in_order(log->memory()), "one\ntwo\n");
}

TEST(MemoryLog, KeepsTheNewestLinesInOrder)
{
    const auto log = open_log();
    Strings written;
    for (int i = 0; i < 500; ++i) {
        written.push_back(
            fmt::format("line {} {}", i, std::string(static_cast<std::size_t>(i % 37), 'x')));
        write(*log, written.back() + "\n");
        const std::string text = read_in_order(log->memory());
        Strings lines = lines_of(text);
        // Nothing is lost but the oldest, and the first line may be cut.
        EXPECT_TRUE(i < 50 || text.size() == kBytes - kHead.size());
        if (text.size() == kBytes - kHead.size()) {
            lines.erase(lines.begin());
        }
        ASSERT_LE(lines.size(), written.size());
        ASSERT_TRUE(std::equal(lines.rbegin(), lines.rend(), written.rbegin())) << text;
    }
    EXPECT_TRUE(log->memory().starts_with("MEMLOG  "));
    EXPECT_EQ(log->memory().substr(16, 8), " t.conf\n");
}

TEST(MemoryLog, ALineMayEndAtTheEndAndFillItAll)
{
    const auto log = open_log();
    const std::size_t ring = kBytes - kHead.size();
    write(*log, std::string(ring - 1, 'a') + "\n");
    EXPECT_TRUE(log->memory().starts_with(kHead)) << "the next line goes to the front";
    EXPECT_EQ(read_in_order(log->memory()), std::string(ring - 1, 'a') + "\n");
    write(*log, std::string(ring + 5, 'b'));
    EXPECT_EQ(read_in_order(log->memory()), std::string(ring, 'b'));
    write(*log, "c\n");
    EXPECT_EQ(read_in_order(log->memory()), std::string(ring - 2, 'b') + "c\n");
}

TEST(MemoryLog, ProcessesShareIt)
{
    const auto log = open_log();
    write(*log, "parent\n");
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        write(*log, "child\n");
        ::_exit(0);
    }
    int status = 1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(read_in_order(log->memory()), "parent\nchild\n");
}

TEST(MemoryLog, LinesOfManyThreadsStayWhole)
{
    const auto log = open_log(1 << 20);
    constexpr int kThreads = 4;
    constexpr int kLines = 1000;
    {
        std::vector<std::jthread> threads;
        for (int number = 0; number < kThreads; ++number) {
            threads.emplace_back([&log, number] {
                for (int i = 0; i < kLines; ++i) {
                    write(*log, fmt::format("{}:{}\n", number, i));
                }
            });
        }
    }
    Strings lines = lines_of(read_in_order(log->memory()));
    ASSERT_EQ(lines.size(), static_cast<std::size_t>(kThreads * kLines));
    std::ranges::sort(lines);
    EXPECT_EQ(std::ranges::unique(lines).size(), 0u);
}

class MemoryLoggerTest : public LoggerTest
{
};

TEST_F(MemoryLoggerTest, EachDirectiveHasOneAndAReloadKeepsIt)
{
    LogTarget description{.kind = LogTarget::Kind::memory,
                          .level = LogLevel::debug,
                          .path = "t.conf:1",
                          .memory_bytes = 4096};
    const auto first = open(description);
    description.level = LogLevel::info;
    EXPECT_EQ(open(description), first);
    description.path = "t.conf:2";
    EXPECT_NE(open(description), first);
    Logger({{first, LogLevel::debug}}).line(LogLevel::debug, "seen");
    const auto dump = std::static_pointer_cast<MemoryLog>(first)->memory();
    EXPECT_TRUE(read_in_order(dump).ends_with(": seen\n"));
}

TEST_F(MemoryLoggerTest, MemoryThatCannotBeHadIsAnError)
{
    std::string error;
    EXPECT_EQ(targets_.open({.kind = LogTarget::Kind::memory,
                             .path = "t.conf:1",
                             .memory_bytes = ~std::size_t{0} >> 2},
                            error),
              nullptr);
    EXPECT_TRUE(error.starts_with("mmap(4611686018427387903) failed (")) << error;
}

}  // namespace
}  // namespace postern::log
