#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "log/logger.h"
#include "log/target.h"

namespace postern::log {

// Logs into a folder of its own.
class LoggerTest : public testing::Test
{
protected:
    LoggerTest()
    {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "postern-log-XXXXXX").string();
        folder_ = ::mkdtemp(pattern.data());
    }
    ~LoggerTest() override { std::filesystem::remove_all(folder_); }

    LogTarget file_target(const std::string& name, LogLevel level = LogLevel::info) const
    {
        return {.kind = LogTarget::Kind::file, .level = level, .path = folder_ / name};
    }

    std::shared_ptr<Target> open(const LogTarget& description)
    {
        std::string error;
        auto target = targets_.open(description, error);
        EXPECT_TRUE(target) << error;
        return target;
    }

    Logger logger(const LogTarget& description)
    {
        return Logger({{open(description), description.level}});
    }

    std::string read(const std::string& name) const
    {
        std::ifstream file(folder_ / name);
        std::ostringstream text;
        text << file.rdbuf();
        return text.str();
    }

    std::vector<std::string> lines(const std::string& name) const
    {
        std::ifstream file(folder_ / name);
        std::vector<std::string> result;
        for (std::string line; std::getline(file, line);) {
            result.push_back(line);
        }
        return result;
    }

    std::filesystem::path folder_;
    Targets targets_;
};

}  // namespace postern::log
