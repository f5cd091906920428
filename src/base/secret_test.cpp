#include "base/secret.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <type_traits>

namespace postern {
namespace {

static_assert(!std::is_copy_constructible_v<Secret> && !std::is_copy_assignable_v<Secret>);

TEST(Secret, MovingLeavesNothingBehind)
{
    Secret a("short");  // fits into the string itself, where a move is a copy
    const Secret b(std::move(a));
    EXPECT_EQ(b.reveal(), "short");
    EXPECT_TRUE(a.empty());
    Secret c("other");
    c = b.copy();
    EXPECT_EQ(c.reveal(), "short");
}

TEST(Secret, ClearOverwrites)
{
    Secret secret("a password that is too long for the string itself");
    const char* const memory = secret.reveal().data();
    const std::size_t size = secret.reveal().size();
    secret.clear();
    for (std::size_t i = 0; i < size; ++i) {
        EXPECT_EQ(memory[i], '\0') << i;  // still owned: clear() keeps the memory
    }
}

TEST(Secret, IsJoinedOfParts)
{
    EXPECT_EQ(Secret::joined({"PASS ", "a b", "\r\n"}).reveal(), "PASS a b\r\n");
}

TEST(Secret, TakesATextAndLeavesNothing)
{
    for (const std::string& text : {std::string("short"), std::string(100, 'x')}) {
        std::string source = text;
        const Secret secret = Secret::taken_from(source);
        EXPECT_EQ(secret.reveal(), text);
        EXPECT_TRUE(source.empty());
        const char* const left = source.data();
        for (std::size_t i = 0; i < source.capacity(); ++i) {
            EXPECT_EQ(left[i], '\0') << i;
        }
    }
}

TEST(Secret, ComparesAll)
{
    EXPECT_TRUE(equal_in_constant_time("", ""));
    EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
    EXPECT_FALSE(equal_in_constant_time("abc", "abd"));
    EXPECT_FALSE(equal_in_constant_time("abc", "ab"));
    EXPECT_FALSE(equal_in_constant_time("", "a"));
}

// All passwords, digests and hashes are compared by it. Who ends at the first difference is some
// thousand times as fast here.
TEST(Secret, ComparingTakesAsLongWhereverTheyDiffer)
{
    using Clock = std::chrono::steady_clock;
    const std::string right(256 * 1024, 'x');
    std::string wrong_at_first = right;
    std::string wrong_at_last = right;
    wrong_at_first.front() = wrong_at_last.back() = 'y';
    const auto quickest = [&](const std::string& wrong) {
        auto least = Clock::duration::max();
        for (int i = 0; i < 30; ++i) {
            const auto began = Clock::now();
            EXPECT_FALSE(equal_in_constant_time(right, wrong));
            least = std::min(least, Clock::now() - began);
        }
        return least;
    };
    EXPECT_GT(quickest(wrong_at_first) * 20, quickest(wrong_at_last));
}

}  // namespace
}  // namespace postern
