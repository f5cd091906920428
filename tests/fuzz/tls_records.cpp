#include <gtest/gtest.h>

#include "targets.h"
#include "tls/lean/testing_differential.h"

namespace postern::fuzz {

// Any sequence of records and writes: the same as OpenSSL's record layer, with "ssl_lean".
void tls_records(std::string_view input)
{
    const auto* const bytes = reinterpret_cast<const unsigned char*>(input.data());
    const std::string difference = tls::lean::difference({bytes, input.size()});
    require(difference.empty(), difference);
}

}  // namespace postern::fuzz
