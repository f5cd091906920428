#include "process/pid_file.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace postern::process {
namespace {

class PidFileTest : public testing::Test
{
protected:
    PidFileTest()
    {
        char name[] = "/tmp/postern_pid_XXXXXX";
        folder_ = ::mkdtemp(name);
        path_ = folder_ + "/postern.pid";
    }
    ~PidFileTest() override { std::filesystem::remove_all(folder_); }

    std::string content() const
    {
        std::ostringstream text;
        text << std::ifstream(path_).rdbuf();
        return text.str();
    }
    std::expected<pid_t, std::string> read(const std::string& content) const
    {
        std::ofstream(path_) << content;
        return PidFile::read(path_);
    }

    std::string folder_;
    std::string path_;
};

TEST_F(PidFileTest, WhatIsWrittenIsRead)
{
    std::ofstream(path_) << "of a process with a longer number\n";
    ASSERT_TRUE(PidFile(path_).write(4711));
    EXPECT_EQ(content(), "4711\n");
    EXPECT_EQ(PidFile::read(path_), 4711);
    struct stat status{};
    ASSERT_EQ(::stat(path_.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0133u, 0u);  // nobody else writes it
}

TEST_F(PidFileTest, SpaceAroundTheNumberIsFine)
{
    EXPECT_EQ(read("1"), 1);
    EXPECT_EQ(read(" 4711\r\n"), 4711);
    EXPECT_EQ(read("2147483647\n"), 2147483647);
}

// kill(2) takes 0 and negative numbers for groups of processes.
TEST_F(PidFileTest, NothingElseIsANumber)
{
    for (const char* text : {"", "\n", "0", "-1", "-4711", "+1", "0x10", "12 34", "12\n34", "4711x",
                             "2147483648", "4294967297", "18446744073709551617"}) {
        EXPECT_FALSE(read(text)) << text;
    }
    EXPECT_EQ(read("ab\x1b\n").error(), "invalid PID number \"ab\\x1b\" in \"" + path_ + "\"");
}

TEST_F(PidFileTest, TheErrorNamesTheFile)
{
    const std::string missing = folder_ + "/no/postern.pid";
    const std::string why = "open() \"" + missing + "\" failed (2: No such file or directory)";
    EXPECT_EQ(PidFile::read(missing).error(), why);
    EXPECT_EQ(PidFile(missing).write(1).error(), why);
}

TEST_F(PidFileTest, AFullDiskIsAnError)
{
    EXPECT_EQ(PidFile("/dev/full").write(1).error(),
              "write() to \"/dev/full\" failed (28: No space left on device)");
}

TEST_F(PidFileTest, ADeviceIsNeverReplaced)
{
    struct stat before{};
    struct stat after{};
    ASSERT_EQ(::stat("/dev/null", &before), 0);
    ASSERT_TRUE(PidFile("/dev/null").write(1));
    PidFile("/dev/null").remove();
    ASSERT_EQ(::stat("/dev/null", &after), 0);
    EXPECT_EQ(before.st_ino, after.st_ino);
}

TEST_F(PidFileTest, StepsAsideForASuccessor)
{
    PidFile old(path_);
    ASSERT_TRUE(old.write(1));
    ASSERT_TRUE(old.step_aside());
    EXPECT_TRUE(old.is_aside());
    EXPECT_FALSE(std::filesystem::exists(path_));
    EXPECT_EQ(PidFile::read(path_ + ".oldbin"), 1);

    PidFile successor(path_);
    ASSERT_TRUE(successor.write(2));
    old.remove();
    EXPECT_FALSE(std::filesystem::exists(path_ + ".oldbin"));
    EXPECT_EQ(PidFile::read(path_), 2);
}

TEST_F(PidFileTest, StepsBackIfTheSuccessorFails)
{
    PidFile old(path_);
    ASSERT_TRUE(old.write(1));
    ASSERT_TRUE(old.step_aside());
    ASSERT_TRUE(old.step_back());
    EXPECT_FALSE(old.is_aside());
    EXPECT_EQ(PidFile::read(path_), 1);
    old.remove();
    EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(PidFileTest, WithoutAFileNobodyStepsAside)
{
    PidFile file(path_);
    EXPECT_EQ(file.step_aside().error(), "rename() \"" + path_ + "\" to \"" + path_ +
                                             ".oldbin\" failed (2: No such file or directory)");
    EXPECT_FALSE(file.is_aside());
}

}  // namespace
}  // namespace postern::process
