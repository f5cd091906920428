#include "tls/lean/testing_differential.h"

#include <random>

namespace postern::tls::lean {
namespace {

TEST(LeanDifferential, SaysWhatOpenSslSaysToAnyPeer)
{
    for (unsigned seed = 0; seed < 1500; ++seed) {
        std::minstd_rand random(seed + 1);
        std::vector<unsigned char> program(200 + seed % 400);
        std::ranges::generate(program, [&] { return static_cast<unsigned char>(random() >> 8); });
        program[0] = static_cast<unsigned char>(seed);
        program[1] = static_cast<unsigned char>(seed / kSuites);
        ASSERT_EQ(difference(program), "") << "seed " << seed;
    }
}

}  // namespace
}  // namespace postern::tls::lean
