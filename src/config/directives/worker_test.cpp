// What the system is asked to grant the worker.
#include "config/testing.h"

namespace postern::config {
namespace {

using WorkerTest = ConfigTest;
using Strings = std::vector<std::string>;

TEST_F(WorkerTest, Priority)
{
    EXPECT_EQ(settings("").worker_priority, 0);
    EXPECT_EQ(settings("worker_priority -20;").worker_priority, -20);
    EXPECT_EQ(settings("worker_priority 19;").worker_priority, 19);
    EXPECT_EQ(settings("worker_priority +5;").worker_priority, 5);
    EXPECT_EQ(warnings_, Strings{});
    EXPECT_EQ(settings("worker_priority 20;").worker_priority, 19);
    EXPECT_EQ(warnings_,
              Strings{"warn: worker_priority 20 is beyond -20 to 19, 19 is used in t.conf:1"});
    EXPECT_EQ(settings("worker_priority -21;").worker_priority, -20);
    for (const char* bad : {"x", "-", "--5", "+-5", "5x", "\"\"", "99999999999"}) {
        EXPECT_EQ(error("worker_priority " + std::string(bad) + ";"),
                  "\"worker_priority\" directive invalid number (a number from -20 to 19 is "
                  "wanted) in t.conf:1");
    }
}

TEST_F(WorkerTest, SandboxIsOnAndMayBeInsistedOn)
{
    EXPECT_TRUE(settings("").sandbox);
    EXPECT_FALSE(settings("").sandbox_is_written);
    EXPECT_TRUE(settings("sandbox on;").sandbox);
    EXPECT_TRUE(settings("sandbox on;").sandbox_is_written);
    EXPECT_FALSE(settings("sandbox off;").sandbox);
    EXPECT_NE(error("sandbox maybe;"), "");
}

TEST_F(WorkerTest, SizeOfCoreFiles)
{
    EXPECT_EQ(settings("").worker_rlimit_core, std::nullopt);
    EXPECT_EQ(settings("worker_rlimit_core 0;").worker_rlimit_core, 0u);
    EXPECT_EQ(settings("worker_rlimit_core 500M;").worker_rlimit_core, 500u << 20);
    EXPECT_EQ(settings("worker_rlimit_core 2g;").worker_rlimit_core, 2ULL << 30);
    for (const char* bad : {"-1", "unlimited", "1t"}) {
        EXPECT_EQ(error("worker_rlimit_core " + std::string(bad) + ";"),
                  "\"worker_rlimit_core\" directive invalid value (a size such as 500m or 1g is "
                  "wanted) in t.conf:1");
    }
}

TEST_F(WorkerTest, CpuMasks)
{
    EXPECT_TRUE(settings("").worker_cpu_affinity.masks.empty());
    auto affinity =
        settings("worker_processes 2; worker_cpu_affinity 0101 \"10 10\";").worker_cpu_affinity;
    EXPECT_FALSE(affinity.automatic);
    EXPECT_EQ(affinity.masks, (std::vector{CpuMask(5), CpuMask(10)}));
    EXPECT_EQ(warnings_, Strings{});
    affinity = settings("worker_cpu_affinity auto 10;").worker_cpu_affinity;
    EXPECT_TRUE(affinity.automatic);
    EXPECT_EQ(affinity.masks.back(), CpuMask(2));
    affinity = settings("worker_cpu_affinity auto;").worker_cpu_affinity;
    EXPECT_TRUE(affinity.automatic);
    EXPECT_TRUE(affinity.masks.back().test(0));
    EXPECT_TRUE(settings("worker_cpu_affinity " + std::string(1024, '1') + ";")
                    .worker_cpu_affinity.masks.back()
                    .all());
}

TEST_F(WorkerTest, CpuMasksThatDontFitTheEventLoops)
{
    const Strings warning{
        "warn: the number of \"worker_processes\" is not equal to the number of "
        "\"worker_cpu_affinity\" masks, using last mask for remaining worker processes"};
    settings("worker_processes 3; worker_cpu_affinity 01 10;");
    EXPECT_EQ(warnings_, warning);
    settings("worker_cpu_affinity 01 10; worker_processes 1;");
    EXPECT_EQ(warnings_, warning);
    for (const char* good : {"01", "auto", "auto 01"}) {
        settings("worker_processes 3; worker_cpu_affinity " + std::string(good) + ";");
        EXPECT_EQ(warnings_, Strings{});
    }
}

TEST_F(WorkerTest, BadCpuMasks)
{
    for (const char* bad : {"012", "auto 12"}) {
        EXPECT_EQ(error("worker_cpu_affinity " + std::string(bad) + ";"),
                  "invalid character \"2\" in \"worker_cpu_affinity\" (0 and 1 are wanted) in "
                  "t.conf:1");
    }
    EXPECT_EQ(error("worker_cpu_affinity auto 01 10;"),
              "invalid number of arguments in \"worker_cpu_affinity\" directive (one mask is "
              "wanted behind auto) in t.conf:1");
    EXPECT_EQ(error("worker_cpu_affinity " + std::string(1025, '1') + ";"),
              "\"worker_cpu_affinity\" supports up to 1024 CPUs only in t.conf:1");
}

}  // namespace
}  // namespace postern::config
