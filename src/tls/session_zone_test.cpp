#include "tls/session_zone.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <thread>

namespace postern::tls {
namespace {

constexpr std::size_t kSmallest = 8 * 4096;  // "too small" begins below
constexpr std::int64_t kNow = 1'000'000;
constexpr std::int64_t kLater = kNow + 300;

// As long as ids are, and unlike each other in no more than their number.
std::string id(unsigned number)
{
    return fmt::format("{:032}", number);
}

// A session that can be told from all others at each byte.
std::string session(unsigned number, std::size_t bytes = 150)
{
    std::string text;
    while (text.size() < bytes) {
        text += fmt::format("{:010}.", number);
    }
    text.resize(bytes);
    return text;
}

void put(SessionZone& zone, std::string_view name, std::string_view bytes,
         std::int64_t expires = kLater)
{
    zone.put(name, {reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()}, expires);
}

// How many of the sessions 0 to count-1 are there. One that is there must be whole.
unsigned found_of(SessionZone& zone, unsigned count)
{
    unsigned found = 0;
    for (unsigned i = 0; i < count; ++i) {
        if (const auto bytes = zone.find(id(i), kNow)) {
            EXPECT_EQ(*bytes, session(i, bytes->size()));
            ++found;
        }
    }
    return found;
}

// The exit status of a child that does this; -1 if a signal ended it.
template <typename Work>
int in_a_child(Work work)
{
    const pid_t child = fork();
    if (child == 0) {
        work();
        _exit(testing::Test::HasFailure() ? 1 : 0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(SessionZone, FindsWhatWasPut)
{
    const auto zone = SessionZone::make(kSmallest);
    EXPECT_EQ(zone->bytes(), kSmallest);
    EXPECT_FALSE(zone->find(id(1), kNow));
    put(*zone, id(1), session(1));
    put(*zone, id(2), session(2, 1));
    EXPECT_EQ(zone->find(id(1), kNow), session(1));
    EXPECT_EQ(zone->find(id(2), kNow), session(2, 1));
    EXPECT_FALSE(zone->find(id(3), kNow));
}

TEST(SessionZone, AnIdThatBeginsLikeAnotherIsAnother)
{
    const auto zone = SessionZone::make(kSmallest);
    put(*zone, id(1), session(1));
    EXPECT_FALSE(zone->find(std::string_view(id(1)).substr(0, 31), kNow));
    EXPECT_FALSE(zone->find(id(1) + "1", kNow));
    EXPECT_FALSE(zone->find("", kNow));
}

TEST(SessionZone, IdsMayHoldAnyByteAndHave32AtMost)
{
    const auto zone = SessionZone::make(kSmallest);
    const std::string longest("\0\xff\r\n", 4);
    put(*zone, longest + std::string(28, '\0'), session(1));
    put(*zone, longest + std::string(29, '\0'), session(2));
    put(*zone, "", session(3));
    EXPECT_EQ(zone->find(longest + std::string(28, '\0'), kNow), session(1));
    EXPECT_FALSE(zone->find(longest + std::string(29, '\0'), kNow));
    EXPECT_FALSE(zone->find("", kNow));
}

TEST(SessionZone, TheNewestOfAnIdCounts)
{
    const auto zone = SessionZone::make(kSmallest);
    put(*zone, id(1), session(1));
    put(*zone, id(1), session(2, 200));
    EXPECT_EQ(zone->find(id(1), kNow), session(2, 200));
    zone->remove(id(1));
    EXPECT_FALSE(zone->find(id(1), kNow));
}

TEST(SessionZone, RemovedIsGoneAndOthersStay)
{
    const auto zone = SessionZone::make(kSmallest);
    put(*zone, id(1), session(1));
    put(*zone, id(2), session(2));
    zone->remove(id(1));
    zone->remove(id(1));
    zone->remove(id(3));
    zone->remove("");
    EXPECT_FALSE(zone->find(id(1), kNow));
    EXPECT_EQ(zone->find(id(2), kNow), session(2));
}

TEST(SessionZone, ExpiresAtItsSecond)
{
    const auto zone = SessionZone::make(kSmallest);
    put(*zone, id(1), session(1), kNow + 10);
    EXPECT_TRUE(zone->find(id(1), kNow + 9));
    EXPECT_FALSE(zone->find(id(1), kNow + 10));
    EXPECT_FALSE(zone->find(id(1), kNow + 9)) << "what has expired is forgotten, not hidden";
}

TEST(SessionZone, TheOldestGiveWayToNewOnes)
{
    const auto zone = SessionZone::make(kSmallest);
    constexpr unsigned kCount = 2000;  // goes around many times
    for (unsigned i = 0; i < kCount; ++i) {
        put(*zone, id(i), session(i, 100 + i % 97));
        ASSERT_EQ(zone->find(id(i), kNow), session(i, 100 + i % 97));
        if (i > 0) {
            ASSERT_TRUE(zone->find(id(i - 1), kNow)) << i;
        }
    }
    EXPECT_FALSE(zone->find(id(0), kNow));
    const unsigned kept = found_of(*zone, kCount);
    EXPECT_GT(kept, 60u);
    EXPECT_LE(kept, kSmallest / 100);
}

TEST(SessionZone, ASessionThatFillsTheZoneIsNotKept)
{
    const auto zone = SessionZone::make(kSmallest);
    put(*zone, id(1), session(1));
    put(*zone, id(2), session(2, kSmallest));
    put(*zone, id(3), session(3, kSmallest / 3));
    EXPECT_FALSE(zone->find(id(2), kNow));
    EXPECT_FALSE(zone->find(id(3), kNow));
    EXPECT_EQ(zone->find(id(1), kNow), session(1)) << "and drives out nobody";
    put(*zone, id(4), session(4, kSmallest / 8));  // with the client's certificates, say
    EXPECT_EQ(zone->find(id(4), kNow), session(4, kSmallest / 8));
}

TEST(SessionZone, AboutFourThousandSessionsFitIntoAMebibyte)
{
    const auto zone = SessionZone::make(std::size_t{1} << 20);
    for (unsigned i = 0; i < 4000; ++i) {
        put(*zone, id(i), session(i));
    }
    EXPECT_GT(found_of(*zone, 4000), 3600u);
}

TEST(SessionZone, ManyMoreIdsThanPlaces)
{
    const auto zone = SessionZone::make(kSmallest);
    constexpr unsigned kCount = 3000;
    for (unsigned i = 0; i < kCount; ++i) {
        put(*zone, id(i), session(i, 1));
        ASSERT_TRUE(zone->find(id(i), kNow));
    }
    EXPECT_GT(found_of(*zone, kCount), 0u);
}

TEST(SessionZone, ProcessesShareIt)
{
    const auto zone = SessionZone::make(kSmallest);
    put(*zone, id(1), session(1));
    EXPECT_EQ(in_a_child([&] {
                  EXPECT_EQ(zone->find(id(1), kNow), session(1));
                  zone->remove(id(1));
                  put(*zone, id(2), session(2));
              }),
              0);
    EXPECT_FALSE(zone->find(id(1), kNow));
    EXPECT_EQ(zone->find(id(2), kNow), session(2));
}

TEST(SessionZone, ProcessesAndThreadsUseItAtOnce)
{
    const auto zone = SessionZone::make(kSmallest);
    constexpr unsigned kCount = 3000;
    const auto work = [&](unsigned first) {
        for (unsigned i = first; i < kCount; i += 3) {
            put(*zone, id(i), session(i, 100 + i % 50));
            const auto other = zone->find(id(i / 2), kNow);
            if (other) {
                EXPECT_EQ(*other, session(i / 2, other->size()));
            }
        }
    };
    const pid_t child = fork();
    if (child == 0) {
        work(0);
        _exit(testing::Test::HasFailure() ? 1 : 0);
    }
    std::thread thread(work, 1);
    work(2);
    thread.join();
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    EXPECT_GT(found_of(*zone, kCount), 0u);
}

TEST(SessionZone, AProcessThatDiesInTheMiddleKeepsNobodyWaiting)
{
    const auto zone = SessionZone::make(kSmallest);
    put(*zone, id(1), session(1));
    // The session can't be read: the process dies while it writes to the zone.
    void* const nothing = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(nothing, MAP_FAILED);
    EXPECT_EQ(in_a_child([&] {
                  std::signal(SIGSEGV, SIG_DFL);
                  put(*zone, id(2), {static_cast<const char*>(nothing), 150});
              }),
              -1);
    munmap(nothing, 4096);

    EXPECT_FALSE(zone->find(id(2), kNow));
    EXPECT_FALSE(zone->find(id(1), kNow)) << "nobody knows what was half-written";
    put(*zone, id(3), session(3));
    EXPECT_EQ(zone->find(id(3), kNow), session(3));
    EXPECT_EQ(in_a_child([&] { EXPECT_EQ(zone->find(id(3), kNow), session(3)); }), 0);
}

}  // namespace
}  // namespace postern::tls
