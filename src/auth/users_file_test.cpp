#include "auth/users_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace postern::auth {
namespace {

using namespace std::chrono_literals;

// A folder of its own, with a log and a users file in it.
class UsersFileTest : public testing::Test
{
protected:
    UsersFileTest()
    {
        std::string name = testing::TempDir() + "postern-users-XXXXXX";
        folder_ = mkdtemp(name.data());
        path_ = folder_ + "/users";
        std::string error;
        const LogTarget target{.level = LogLevel::notice, .path = folder_ + "/log"};
        logger_ = log::Logger({{targets_.open(target, error), LogLevel::notice}});
        EXPECT_EQ(error, "");
    }
    ~UsersFileTest() override { std::filesystem::remove_all(folder_); }

    // In place, so that the inode stays.
    void write(std::string_view text) const { std::ofstream(path_, std::ios::binary) << text; }

    // Older than the coarsest tick of a file system's clock.
    void age() const { std::this_thread::sleep_for(150ms); }

    bool has(UsersFile& file, const std::string& user, std::string_view password) const
    {
        const auto users = file.users();
        return users && (*users)->check(Method::plain, user, Secret(password), "").result ==
                            PasswdFile::Result::accepted;
    }

    // The log's lines that hold `text`.
    std::size_t logged(const std::string& text) const
    {
        std::ifstream log(folder_ + "/log");
        std::size_t count = 0;
        for (std::string line; std::getline(log, line);) {
            count += line.find(text) != std::string::npos;
        }
        return count;
    }

    std::string folder_;
    std::string path_;
    log::Targets targets_;
    log::Logger logger_;
};

TEST_F(UsersFileTest, IsReadAnewWhenItChanges)
{
    UsersFile file(path_, logger_, 0s);
    write("alice:{PLAIN}one\n");
    EXPECT_TRUE(has(file, "alice", "one"));
    // At once, in place and of the same size: nothing but a tick of the clock tells them apart.
    write("alice:{PLAIN}two\n");
    EXPECT_TRUE(has(file, "alice", "two"));
    EXPECT_FALSE(has(file, "alice", "one"));
    write("alice:{PLAIN}two\nbob:{PLAIN}x\n");
    EXPECT_TRUE(has(file, "bob", "x"));
    write("");
    EXPECT_FALSE(has(file, "alice", "two"));
}

TEST_F(UsersFileTest, AReplacedFileIsReadAnewThoughItsTimesAreOld)
{
    UsersFile file(path_, logger_, 0s);
    write("alice:{PLAIN}one\n");
    age();
    EXPECT_TRUE(has(file, "alice", "one"));
    const auto time = std::filesystem::last_write_time(path_);
    const std::string other = folder_ + "/other";
    std::ofstream(other) << "alice:{PLAIN}two\n";
    std::filesystem::last_write_time(other, time);
    std::filesystem::rename(other, path_);
    EXPECT_TRUE(has(file, "alice", "two"));
}

TEST_F(UsersFileTest, AnUnchangedFileIsReadOnce)
{
    write("alice:{PLAIN}one\n");
    age();
    UsersFile file(path_, logger_, 0s);
    const auto first = file.users();
    const auto second = file.users();
    ASSERT_TRUE(first && second);
    EXPECT_EQ(*first, *second);
    EXPECT_EQ(logged(": 1 users"), 1u);
}

TEST_F(UsersFileTest, TheDiskIsLookedAtOncePerInterval)
{
    UsersFile file(path_, logger_, 300ms);
    write("alice:{PLAIN}one\n");
    EXPECT_TRUE(has(file, "alice", "one"));
    write("alice:{PLAIN}second\n");
    EXPECT_TRUE(has(file, "alice", "one"));
    std::this_thread::sleep_for(350ms);
    EXPECT_TRUE(has(file, "alice", "second"));
}

TEST_F(UsersFileTest, BadLinesAreLoggedOnceAChangeAndNeverWithAPassword)
{
    write("# users\nalice:{PLAIN}one\nbob:{NTLM}hunter2\nhunter2\n");
    UsersFile file(path_, logger_, 0s);
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(has(file, "alice", "one"));
    }
    EXPECT_EQ(logged("[error]"), 2u);
    EXPECT_EQ(logged(path_ + ":3: unknown password scheme \"NTLM\""), 1u);
    EXPECT_EQ(logged(path_ + ":4: "), 1u);
    write("alice:{PLAIN}one\nbob:{NTLM}hunter2\n");
    EXPECT_TRUE(has(file, "alice", "one"));
    EXPECT_TRUE(has(file, "alice", "one"));
    EXPECT_EQ(logged(path_ + ":2: unknown password scheme \"NTLM\""), 1u);
    EXPECT_EQ(logged("hunter2"), 0u);
}

TEST_F(UsersFileTest, AFileThatIsNoneOfUsersDoesNotFloodTheLog)
{
    std::string text;
    for (int i = 0; i < 5000; ++i) {
        text += "x\n";
    }
    write(text);
    UsersFile file(path_, logger_, 0s);
    EXPECT_TRUE(file.users());
    EXPECT_EQ(logged("[error]"), PasswdFile::kProblemsMax + 1);
    EXPECT_EQ(logged(": 4900 more bad lines"), 1u);
}

TEST_F(UsersFileTest, UsersStayWhenTheFileGoesAndThatIsLoggedOnce)
{
    write("alice:{PLAIN}one\n");
    UsersFile file(path_, logger_, 0s);
    EXPECT_TRUE(has(file, "alice", "one"));
    std::filesystem::remove(path_);
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(has(file, "alice", "one"));
    }
    const std::string gone = "open() \"" + path_ + "\" failed (2: No such file or directory)";
    EXPECT_EQ(logged(gone), 1u);
    write("alice:{PLAIN}two\n");
    EXPECT_TRUE(has(file, "alice", "two"));
    std::filesystem::remove(path_);
    EXPECT_TRUE(has(file, "alice", "two"));
    EXPECT_EQ(logged(gone), 2u);
}

TEST_F(UsersFileTest, AFileThatComesBackUnchangedIsLoggedWhenItGoesAgain)
{
    write("alice:{PLAIN}one\n");
    age();
    UsersFile file(path_, logger_, 0s);
    EXPECT_TRUE(has(file, "alice", "one"));
    for (std::size_t times = 1; times <= 2; ++times) {
        std::filesystem::rename(path_, path_ + ".away");
        EXPECT_TRUE(has(file, "alice", "one"));
        EXPECT_EQ(logged("open() "), times);
        std::filesystem::rename(path_ + ".away", path_);
        EXPECT_TRUE(has(file, "alice", "one"));
    }
}

TEST_F(UsersFileTest, WithoutUsersEachLoginHearsWhy)
{
    UsersFile file(path_, logger_, 0s);
    const std::string gone = "open() \"" + path_ + "\" failed (2: No such file or directory)";
    for (int i = 0; i < 2; ++i) {
        const auto users = file.users();
        ASSERT_FALSE(users);
        EXPECT_EQ(users.error(), gone);
    }
    EXPECT_EQ(logged(gone), 0u);  // the session's line says it
    write("alice:{PLAIN}one\n");
    EXPECT_TRUE(has(file, "alice", "one"));
}

TEST_F(UsersFileTest, WithoutUsersTheReasonLastsForTheInterval)
{
    UsersFile file(path_, logger_, 1h);
    EXPECT_FALSE(file.users());
    write("alice:{PLAIN}one\n");
    const auto users = file.users();
    ASSERT_FALSE(users);
    EXPECT_NE(users.error().find("failed (2:"), std::string::npos);
}

TEST_F(UsersFileTest, OnlyARegularFileWillDo)
{
    UsersFile folder(folder_, logger_, 0s);
    ASSERT_FALSE(folder.users());
    EXPECT_EQ(folder.users().error(), "\"" + folder_ + "\" is not a regular file");
    const std::string fifo = folder_ + "/fifo";
    ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
    UsersFile pipe(fifo, logger_, 0s);  // and nobody waits for a writer
    ASSERT_FALSE(pipe.users());
    EXPECT_EQ(pipe.users().error(), "\"" + fifo + "\" is not a regular file");
}

TEST_F(UsersFileTest, HasALargestSize)
{
    write("alice:{PLAIN}one\n#");
    ASSERT_EQ(truncate(path_.c_str(), UsersFile::kFileMaxBytes), 0);
    UsersFile file(path_, logger_, 0s);
    EXPECT_TRUE(has(file, "alice", "one"));
    ASSERT_EQ(truncate(path_.c_str(), UsersFile::kFileMaxBytes + 1), 0);
    EXPECT_TRUE(has(file, "alice", "one"));
    EXPECT_EQ(logged("is larger than 67108864 bytes"), 1u);
    UsersFile other(path_, logger_, 0s);
    ASSERT_FALSE(other.users());
    EXPECT_EQ(other.users().error(),
              "\"" + path_ + "\" is larger than 67108864 bytes, the most for a users file");
}

TEST_F(UsersFileTest, ThreadsMayAskWhileItChanges)
{
    write("alice:{PLAIN}one\n");
    UsersFile file(path_, logger_, 0s);
    EXPECT_TRUE(file.users());
    std::atomic<int> failures = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
        threads.emplace_back([&] {
            for (int round = 0; round < 200; ++round) {
                failures += !has(file, "alice", "one");
            }
        });
    }
    const std::string next = folder_ + "/next";
    for (int round = 0; round < 50; ++round) {
        std::ofstream(next) << "alice:{PLAIN}one\n" << std::string(round, '#') << "\n";
        std::filesystem::rename(next, path_);
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(failures, 0);
}

}  // namespace
}  // namespace postern::auth
