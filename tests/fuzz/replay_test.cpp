// The inputs that are kept: seeds, and what once went wrong.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "targets.h"

namespace postern::fuzz {
namespace {

class Replay : public testing::TestWithParam<Target>
{
};

TEST_P(Replay, KeptInputs)
{
    const std::filesystem::path folder =
        std::filesystem::path(POSTERN_SOURCE_DIR) / "tests/fuzz/inputs" / GetParam().name;
    unsigned count = 0;
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
        std::ifstream in(file.path(), std::ios::binary);
        const std::string input(std::istreambuf_iterator<char>(in), {});
        SCOPED_TRACE(file.path().string());
        GetParam().run(input);
        ++count;
    }
    EXPECT_GT(count, 0u);
    GetParam().run("");
}

INSTANTIATE_TEST_SUITE_P(Fuzz, Replay, testing::ValuesIn(targets().begin(), targets().end()),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace postern::fuzz
