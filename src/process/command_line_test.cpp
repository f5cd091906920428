#include "process/command_line.h"

#include <gtest/gtest.h>

#include <csignal>
#include <vector>

namespace postern::process {
namespace {

std::expected<CommandLine, std::string> parse(const std::vector<const char*>& arguments)
{
    return parse_command_line(arguments);
}

std::string error(const std::vector<const char*>& arguments)
{
    const auto result = parse(arguments);
    return result ? "no error" : result.error();
}

TEST(CommandLine, NothingIsWanted)
{
    const auto result = parse({});
    ASSERT_TRUE(result);
    EXPECT_FALSE(result->test || result->dump || result->quiet || result->show_version);
    EXPECT_EQ(result->signal, 0);
    EXPECT_EQ(result->conf_path + result->prefix + result->error_log_path, "");
}

TEST(CommandLine, FlagsAloneAndTogether)
{
    EXPECT_TRUE(parse({"-t"})->test);
    EXPECT_FALSE(parse({"-t"})->dump);
    EXPECT_TRUE(parse({"-T"})->test);
    EXPECT_TRUE(parse({"-T"})->dump);
    const auto both = parse({"-tq"});
    EXPECT_TRUE(both->test && both->quiet);
    EXPECT_TRUE(parse({"-v"})->show_version);
    EXPECT_FALSE(parse({"-v"})->show_configure);
    EXPECT_TRUE(parse({"-V"})->show_configure);
    EXPECT_TRUE(parse({"-h"})->show_help);
    EXPECT_TRUE(parse({"-?"})->show_help);
    EXPECT_TRUE(parse({"-"}).has_value());  // NGINX: says nothing
}

TEST(CommandLine, ValuesNextToTheirOptionOrBehindIt)
{
    EXPECT_EQ(parse({"-c", "file"})->conf_path, "file");
    EXPECT_EQ(parse({"-cfile"})->conf_path, "file");
    EXPECT_EQ(parse({"-tc", "file"})->conf_path, "file");
    EXPECT_TRUE(parse({"-tc", "file"})->test);
    EXPECT_EQ(parse({"-p", "/a"})->prefix, "/a");
    EXPECT_EQ(parse({"-e", "stderr"})->error_log_path, "stderr");
    EXPECT_EQ(parse({"-g", "daemon off;"})->global_directives, "daemon off;");
    EXPECT_EQ(parse({"-c", "-t"})->conf_path, "-t");
}

TEST(CommandLine, Signals)
{
    EXPECT_EQ(parse({"-s", "stop"})->signal, SIGTERM);
    EXPECT_EQ(parse({"-s", "quit"})->signal, SIGQUIT);
    EXPECT_EQ(parse({"-s", "reload"})->signal, SIGHUP);
    EXPECT_EQ(parse({"-sreopen"})->signal, SIGUSR1);
    EXPECT_EQ(error({"-s", "foo"}), "invalid option: \"-s foo\"");
    EXPECT_EQ(error({"-s", "STOP"}), "invalid option: \"-s STOP\"");
}

TEST(CommandLine, Errors)
{
    EXPECT_EQ(error({"-x"}), "invalid option: \"x\"");
    EXPECT_EQ(error({"-tx"}), "invalid option: \"x\"");
    EXPECT_EQ(error({"file"}), "invalid option: \"file\"");
    EXPECT_EQ(error({"-c"}), "option \"-c\" requires file name");
    EXPECT_EQ(error({"-c", ""}), "option \"-c\" requires file name");
    EXPECT_EQ(error({"-p"}), "option \"-p\" requires directory name");
    EXPECT_EQ(error({"-e"}), "option \"-e\" requires file name");
    EXPECT_EQ(error({"-g"}), "option \"-g\" requires parameter");
    EXPECT_EQ(error({"-s"}), "option \"-s\" requires parameter");
}

}  // namespace
}  // namespace postern::process
