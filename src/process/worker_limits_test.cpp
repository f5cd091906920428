#include "process/worker_limits.h"

#include <gtest/gtest.h>

namespace postern::process {
namespace {

using config::CpuMask;

CpuMask mask(const char* digits)
{
    return CpuMask(digits);
}

TEST(WorkerLimits, AnyProcessorUnlessThereAreMasks)
{
    EXPECT_EQ(cpus_of_loop({}, 0), std::nullopt);
    EXPECT_EQ(cpus_of_loop({.automatic = true, .masks = {mask("0")}}, 0), std::nullopt);
}

TEST(WorkerLimits, TheLastMaskIsForTheRest)
{
    const config::CpuAffinity affinity{.automatic = false, .masks = {mask("01"), mask("1010")}};
    EXPECT_EQ(cpus_of_loop(affinity, 0), mask("01"));
    EXPECT_EQ(cpus_of_loop(affinity, 1), mask("1010"));
    EXPECT_EQ(cpus_of_loop(affinity, 2), mask("1010"));
    EXPECT_EQ(cpus_of_loop(affinity, 1023), mask("1010"));
}

TEST(WorkerLimits, AutoGivesEachLoopOneProcessorOfTheLastMask)
{
    const config::CpuAffinity affinity{.automatic = true, .masks = {mask("1111"), mask("1010")}};
    EXPECT_EQ(cpus_of_loop(affinity, 0), mask("0010"));
    EXPECT_EQ(cpus_of_loop(affinity, 1), mask("1000"));
    EXPECT_EQ(cpus_of_loop(affinity, 2), mask("0010"));
    EXPECT_EQ(cpus_of_loop(affinity, 1023), mask("1000"));
}

TEST(WorkerLimits, AutoFindsTheLastProcessorThereCanBe)
{
    CpuMask last;
    last.set(1023);
    EXPECT_EQ(cpus_of_loop({.automatic = true, .masks = {last}}, 7), last);
}

}  // namespace
}  // namespace postern::process
