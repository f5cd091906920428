#include "base/log_format.h"

#include <gtest/gtest.h>

#include <set>

namespace postern {
namespace {

using Escape = LogFormat::Escape;

std::string error(std::string_view text)
{
    const auto format = LogFormat::parse(text, Escape::standard);
    return format ? "none" : format.error();
}

TEST(LogFormat, TextAndVariables)
{
    const auto format = LogFormat::parse("a $pid${result}-$remote_user.", Escape::json);
    ASSERT_TRUE(format);
    EXPECT_EQ(format->escape, Escape::json);
    ASSERT_EQ(format->parts.size(), 4u);
    EXPECT_EQ(format->parts[0].text, "a ");
    EXPECT_EQ(format->parts[0].variable, LogVariable::pid);
    EXPECT_EQ(format->parts[1].text, "");
    EXPECT_EQ(format->parts[1].variable, LogVariable::result);
    EXPECT_EQ(format->parts[2].text, "-");
    EXPECT_EQ(format->parts[2].variable, LogVariable::remote_user);
    EXPECT_EQ(format->parts[3].text, ".");
    EXPECT_FALSE(format->parts[3].variable);
}

TEST(LogFormat, NothingIsALine)
{
    const auto format = LogFormat::parse("", Escape::none);
    ASSERT_TRUE(format);
    EXPECT_TRUE(format->parts.empty());
}

TEST(LogFormat, MistakesAreNamed)
{
    EXPECT_EQ(error("$password"), "unknown \"password\" variable");
    EXPECT_EQ(error("a ${pid"), "the closing bracket in \"pid\" variable is missing");
    EXPECT_EQ(error("100$"), "invalid variable name");
    EXPECT_EQ(error("${}"), "invalid variable name");
    EXPECT_EQ(error("$ pid"), "invalid variable name");
}

TEST(LogFormat, EachVariableHasOneNameAndAMeaning)
{
    std::set<std::string_view> names;
    for (const LogVariableName& one : log_variables()) {
        EXPECT_TRUE(names.insert(one.name).second) << one.name;
        EXPECT_FALSE(one.meaning.empty()) << one.name;
        EXPECT_EQ(static_cast<std::size_t>(one.variable), names.size() - 1) << one.name;
    }
    EXPECT_EQ(names.size(), static_cast<std::size_t>(LogVariable::closed_by) + 1);
}

TEST(LogFormat, TwoAreReady)
{
    ASSERT_NE(predefined_log_format("main"), nullptr);
    EXPECT_EQ(predefined_log_format("main")->escape, Escape::standard);
    ASSERT_NE(predefined_log_format("json"), nullptr);
    EXPECT_EQ(predefined_log_format("json")->escape, Escape::json);
    EXPECT_EQ(predefined_log_format("combined"), nullptr);
}

}  // namespace
}  // namespace postern
