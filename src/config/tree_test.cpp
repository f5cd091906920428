#include "config/tree.h"

#include "config/testing.h"

namespace postern::config {
namespace {

using TreeTest = ConfigTest;

TEST_F(TreeTest, NamesFileAndLineOfTheEndOfADirective)
{
    EXPECT_EQ(
        error("daemon\n\non off;"),
        "invalid number of arguments in \"daemon\" directive (2 given, 1 wanted) in t.conf:3");
}

TEST_F(TreeTest, RefusesUnknownNamesAndGuessesWhatWasMeant)
{
    EXPECT_EQ(error("foo;"), "unknown directive \"foo\" in t.conf:1");
    EXPECT_EQ(error("\n\"\";"), "unknown directive \"\" in t.conf:2");
    EXPECT_EQ(error("mail {\ntiemout 5;\n}"),
              "unknown directive \"tiemout\" (did you mean \"timeout\"?) in t.conf:2");
    EXPECT_EQ(error("daemn off;"),
              "unknown directive \"daemn\" (did you mean \"daemon\"?) in t.conf:1");
    EXPECT_EQ(error("Daemon off;"),
              "unknown directive \"Daemon\" (did you mean \"daemon\"?) in t.conf:1");
    EXPECT_EQ(error("ssl on;"),
              "unknown directive \"ssl\" (\"listen ... ssl\" switches TLS on) in t.conf:1");
    EXPECT_EQ(error("\xef\xbb\xbfhttp {}"), "unknown directive \"\xef\xbb\xbfhttp\" in t.conf:1");
    EXPECT_EQ(error(std::string(4000, 'x') + ";"),
              "unknown directive \"" + std::string(1024 - 19, 'x') + " in t.conf:1");
}

TEST_F(TreeTest, ChecksPlaceThenEndThenNumberOfArguments)
{
    EXPECT_EQ(error("timeout {"),
              "\"timeout\" directive is not allowed here (it belongs in \"mail\" or \"server\") in "
              "t.conf:1");
    EXPECT_EQ(error("server {}"),
              "\"server\" directive is not allowed here (it belongs in \"mail\") in t.conf:1");
    EXPECT_EQ(error("events { daemon on; }"),
              "\"daemon\" directive is not allowed here (it belongs in \"main\") in t.conf:1");
    EXPECT_EQ(error("daemon on off {"),
              "directive \"daemon\" is not terminated by \";\" in t.conf:1");
    EXPECT_EQ(error("mail a b;"), "directive \"mail\" has no opening \"{\" in t.conf:1");
    EXPECT_EQ(error("mail a {}"),
              "invalid number of arguments in \"mail\" directive (1 given, 0 wanted) in t.conf:1");
    EXPECT_EQ(error("user;"),
              "invalid number of arguments in \"user\" directive (0 given, 1 to 2 wanted) in "
              "t.conf:1");
    EXPECT_EQ(
        error("error_log;"),
        "invalid number of arguments in \"error_log\" directive (0 given, 1 or more wanted) in "
        "t.conf:1");
    // A value is looked at only when all that is right.
    EXPECT_EQ(error("daemon maybe;").find("invalid value \"maybe\" in \"daemon\" directive"), 0u);
}

TEST_F(TreeTest, BlocksMustBalance)
{
    EXPECT_EQ(error("mail {\n"), "unexpected end of file, expecting \"}\" in t.conf:2");
    EXPECT_EQ(error("mail {}\n}"), "unexpected \"}\" in t.conf:2");
    EXPECT_EQ(error("mail { server { listen 143 }"), "unexpected \"}\" in t.conf:1");
    EXPECT_EQ(error("daemon off"), "unexpected end of file, expecting \";\" or \"}\" in t.conf:1");
    EXPECT_EQ(error("mail{server{listen 143;auth_http a:1;}}"), "");
}

TEST_F(TreeTest, ReadsWindowsLineEnds)
{
    EXPECT_FALSE(settings("daemon off;\r\nmaster_process on;\r\n").daemon);
}

TEST_F(TreeTest, SkipsBlocksForOthersWithAWarningEach)
{
    settings("http {\n server { location / { root 'a}b'; } include nowhere; }\n}\nstream{}");
    EXPECT_EQ(warnings_,
              (std::vector<std::string>{
                  "warn: \"http\" block is skipped: Postern serves mail in t.conf:1",
                  "warn: \"stream\" block is skipped: Postern serves mail in t.conf:4"}));
    EXPECT_EQ(error("http { a {\n }"), "unexpected end of file, expecting \"}\" in t.conf:2");
    EXPECT_EQ(error("http { \"a\"b; }"), "unexpected \"b\" in t.conf:1");
}

TEST_F(TreeTest, SkippedBlocksMayNestDeep)
{
    std::string text = "http {";
    for (int i = 0; i < 100000; ++i) {
        text += "a{";
    }
    EXPECT_EQ(error(text), "unexpected end of file, expecting \"}\" in t.conf:1");
    EXPECT_EQ(error(text + std::string(100001, '}')), "");
}

TEST_F(TreeTest, IncludesFilesRelativeToTheConfiguration)
{
    write("conf/sub/one.conf", "include two.conf;");
    write("conf/two.conf", "timeout 7s;");
    EXPECT_EQ(server("include sub/one.conf;").timeout, std::chrono::seconds(7));
    const std::string absolute = write("elsewhere.conf", "timeout 8s;");
    EXPECT_EQ(server("include " + absolute + ";").timeout, std::chrono::seconds(8));
}

TEST_F(TreeTest, IncludesWhatAPatternMatchesInOrder)
{
    write("conf/d/b.conf", "imap_capabilities B;");
    write("conf/d/a.conf", "imap_capabilities A;");
    write("conf/d/c.other", "broken");
    EXPECT_EQ(server("include d/*.conf;").imap_capabilities, (std::vector<std::string>{"A", "B"}));
    EXPECT_EQ(server("include d/[b].conf;").imap_capabilities, (std::vector<std::string>{"B"}));
    EXPECT_EQ(server_error("include d/*.none;"), "");
}

TEST_F(TreeTest, AnIncludedFileMustBeThereAndBalanced)
{
    EXPECT_EQ(error("daemon on;\ninclude gone.conf;"),
              "open() \"gone.conf\" failed (2: No such file or directory) in t.conf:2");
    write("conf/close.conf", "timeout 5;\n}");
    EXPECT_EQ(error("mail {include close.conf;"), "unexpected \"}\" in close.conf:2");
    write("conf/open.conf", "server {\n");
    EXPECT_EQ(error("mail {include open.conf; }}"),
              "unexpected end of file, expecting \"}\" in open.conf:2");
    write("conf/half.conf", "daemon");
    EXPECT_EQ(error("include half.conf; on;"),
              "unexpected end of file, expecting \";\" or \"}\" in half.conf:1");
    EXPECT_EQ(error("include /;"), "read() \"/\" failed (21: Is a directory) in t.conf:1");
}

TEST_F(TreeTest, IncludesNestUpToALimit)
{
    // t.conf includes 1, which includes 2, and so on; the last one includes nothing.
    const auto chain = [this](unsigned length) {
        for (unsigned i = 1; i <= length; ++i) {
            write("conf/" + std::to_string(i),
                  i == length ? "" : "include " + std::to_string(i + 1) + ";");
        }
        return error("include 1;");
    };
    EXPECT_EQ(chain(kIncludeDepthMax), "");
    EXPECT_EQ(chain(kIncludeDepthMax + 1),
              "too many nested \"include\" directives (at most 16; does a file include itself?) in "
              "16:1");
    EXPECT_NE(error("include t.conf;").find("does a file include itself?"), std::string::npos);
}

TEST_F(TreeTest, FilesThatIncludeEachOtherByAPatternEnd)
{
    for (int i = 0; i < 8; ++i) {
        write("conf/d/" + std::to_string(i), i == 7 ? "" : "include d/*;");
    }
    EXPECT_NE(error("include d/*;"), "");
    std::string many;
    write("conf/empty", "");
    for (unsigned i = 0; i < kIncludesMax; ++i) {
        many += "include empty;";
    }
    EXPECT_EQ(error(many), "");
    EXPECT_EQ(error(many + "include empty;"),
              "too many files are included (at most 4096) in t.conf:1");
}

TEST_F(TreeTest, AConfigurationHasALargestSize)
{
    const std::string fits = std::string(kTextBytesMax, '\n');
    EXPECT_EQ(error(fits), "");
    EXPECT_EQ(error(fits + "\n"),
              "the configuration is too large with \"t.conf\" (at most 16777216 bytes in all)");
    EXPECT_NE(error("include /dev/zero;").find("the configuration is too large with \"/dev/zero\""),
              std::string::npos);
}

TEST_F(TreeTest, AMissingMainFileHasNoPlace)
{
    options_.conf_path = folder_ + "gone.conf";
    EXPECT_EQ(config::load(options_).error().text,
              "open() \"" + folder_ + "gone.conf\" failed (2: No such file or directory)");
}

TEST_F(TreeTest, RecordsEachFileOnce)
{
    write("conf/a", "# a\n");
    write("conf/b", "include a;");
    const std::string text = "include b; include a; mail { include a; }";
    const auto loaded = read(text);
    ASSERT_TRUE(loaded);
    ASSERT_EQ(loaded->files.size(), 3u);
    EXPECT_EQ(local(loaded->files[0].path), "t.conf");
    EXPECT_EQ(loaded->files[0].content, text);
    EXPECT_EQ(local(loaded->files[1].path), "b");
    EXPECT_EQ(local(loaded->files[2].path), "a");
    EXPECT_EQ(loaded->files[2].content, "# a\n");
}

TEST_F(TreeTest, ReadsTheCommandLineFirst)
{
    options_.global_directives = "daemon off; worker_processes 3;";
    const Settings result = settings("");
    EXPECT_FALSE(result.daemon);
    EXPECT_EQ(result.worker_processes, 3u);
    EXPECT_EQ(error("daemon on;"), "\"daemon\" directive is duplicate in t.conf:1");
}

TEST_F(TreeTest, ErrorsOfTheCommandLineSaySo)
{
    const auto command_line_error = [this](const char* text) {
        options_.global_directives = text;
        return error("");
    };
    EXPECT_EQ(command_line_error("daemon off"),
              "unexpected end of parameter, expecting \";\" in command line");
    EXPECT_EQ(command_line_error("mail {}"),
              "block directives are not supported in -g option in command line");
    EXPECT_EQ(command_line_error("\nfoo;"), "unknown directive \"foo\" in command line");
    EXPECT_EQ(command_line_error("timeout 5;"),
              "\"timeout\" directive is not allowed here (it belongs in \"mail\" or \"server\") in "
              "command line");
    EXPECT_EQ(
        command_line_error("daemon of;"),
        "invalid value \"of\" in \"daemon\" directive, it must be \"on\" or \"off\" in command "
        "line");
}

// Every way to cut or damage one byte of a real file ends in an error or in settings.
TEST_F(TreeTest, DamagedFilesNeverHarm)
{
    const std::string text =
        "user a; events { worker_connections 9; }\nmail { auth_http h:1/x; # c\n"
        "imap_capabilities \"A B\" C; server { listen [::1]:143 so_keepalive=1m::5; starttls on; "
        "resolver 127.0.0.1 valid=1m; allow 10.0.0.0/8; } }\n";
    for (std::size_t i = 0; i < text.size(); ++i) {
        (void)read(text.substr(0, i));
        for (const char byte : std::string_view("\0\n\"{};\\\xff", 8)) {
            std::string damaged = text;
            damaged[i] = byte;
            const auto loaded = read(damaged);
            EXPECT_TRUE(loaded || !loaded.error().text.empty());
        }
    }
}

}  // namespace
}  // namespace postern::config
