#include "base/mechanisms.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

using Names = std::vector<std::string_view>;

TEST(Mechanisms, HaveOneOrder)
{
    EXPECT_EQ(sasl_names({.plain = true, .login = true, .cram_md5 = true, .external = true}),
              (Names{"PLAIN", "LOGIN", "CRAM-MD5", "EXTERNAL"}));
    EXPECT_EQ(sasl_names({.login = true, .external = true}), (Names{"LOGIN", "EXTERNAL"}));
}

TEST(Mechanisms, ApopAndNoneAreNotSasl)
{
    EXPECT_EQ(sasl_names({.apop = true, .none = true}), Names());
}

TEST(Protection, DecidesWhatIsOffered)
{
    EXPECT_TRUE((Protection{StartTls::off, false}.may_authenticate()));
    EXPECT_TRUE((Protection{StartTls::on, false}.may_authenticate()));
    EXPECT_FALSE((Protection{StartTls::only, false}.may_authenticate()));
    EXPECT_TRUE((Protection{StartTls::only, true}.may_authenticate()));
    EXPECT_FALSE((Protection{StartTls::off, false}.offers_starttls()));
    EXPECT_TRUE((Protection{StartTls::on, false}.offers_starttls()));
    EXPECT_TRUE((Protection{StartTls::only, false}.offers_starttls()));
    EXPECT_FALSE((Protection{StartTls::on, true}.offers_starttls()));
}

}  // namespace
}  // namespace postern
