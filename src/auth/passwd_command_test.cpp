#include "auth/passwd_command.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>

#include <csignal>
#include <cstdio>
#include <thread>

#include "auth/passwd_file.h"

namespace postern::auth {
namespace {

using namespace std::string_literals;

struct Outcome {
    int code = -1;
    std::string output;
    std::string errors;
};

std::string contents(std::FILE* file)
{
    std::string text;
    std::rewind(file);
    for (int c; (c = std::fgetc(file)) != EOF;) {
        text += static_cast<char>(c);
    }
    std::fclose(file);
    return text;
}

Outcome run_on_input(std::vector<std::string> words, int input)
{
    std::vector<char*> arguments;
    for (std::string& word : words) {
        arguments.push_back(word.data());
    }
    std::FILE* const output = std::tmpfile();
    std::FILE* const errors = std::tmpfile();
    Outcome outcome;
    outcome.code = passwd_command(arguments, input, output, errors);
    outcome.output = contents(output);
    outcome.errors = contents(errors);
    return outcome;
}

// With `text` on standard input; it has to fit into a pipe.
Outcome run(std::vector<std::string> words, std::string_view text = "secret\n")
{
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    EXPECT_EQ(::write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
    close(ends[1]);
    const Outcome outcome = run_on_input(std::move(words), ends[0]);
    close(ends[0]);
    return outcome;
}

bool lets_in(const std::string& line, const std::string& user, std::string_view password)
{
    const auto file = PasswdFile::parse(line);
    EXPECT_TRUE(file.problems().empty()) << line;
    return file.check(Method::plain, user, Secret(password), "").result ==
           PasswdFile::Result::accepted;
}

void expect_failure(const Outcome& outcome, const std::string& reason)
{
    EXPECT_EQ(outcome.code, 1);
    EXPECT_EQ(outcome.output, "");
    EXPECT_EQ(outcome.errors, "postern passwd: " + reason + "\n");
}

TEST(PasswdCommand, MakesALineThatTheUsersFileTakes)
{
    const Outcome outcome = run({"alice"});
    EXPECT_EQ(outcome.code, 0);
    EXPECT_EQ(outcome.errors, "");
    EXPECT_TRUE(outcome.output.starts_with("alice:{BLF-CRYPT}$2b$10$")) << outcome.output;
    EXPECT_TRUE(outcome.output.ends_with("::::::\n")) << outcome.output;
    EXPECT_TRUE(lets_in(outcome.output, "alice", "secret"));
    EXPECT_FALSE(lets_in(outcome.output, "alice", "secret "));
}

TEST(PasswdCommand, KnowsItsSchemesInAnyCase)
{
    for (const auto& [word, start] :
         {std::pair{"sha512-crypt", "b@c:{SHA512-CRYPT}$6$rounds=100000$"},
          {"SHA256-Crypt", "b@c:{SHA256-CRYPT}$5$rounds=100000$"},
          {"yescrypt", "b@c:{YESCRYPT}$y$j9T$"},
          {"blf-crypt", "b@c:{BLF-CRYPT}$2b$10$"}}) {
        const Outcome outcome = run({"-s", word, "b@c"}, "p:w d\n");
        EXPECT_EQ(outcome.code, 0) << word;
        EXPECT_TRUE(outcome.output.starts_with(start)) << outcome.output;
        EXPECT_TRUE(lets_in(outcome.output, "b@c", "p:w d"));
    }
    const Outcome plain = run({"b", "-s", "plain"}, " {x} y \n");
    EXPECT_EQ(plain.output, "b:{PLAIN} {x} y ::::::\n");
    EXPECT_TRUE(lets_in(plain.output, "b", " {x} y "));
}

TEST(PasswdCommand, ReadsOneLine)
{
    EXPECT_EQ(run({"-s", "PLAIN", "a"}, "one\ntwo\n").output, "a:{PLAIN}one::::::\n");
    EXPECT_EQ(run({"-s", "PLAIN", "a"}, "one").output, "a:{PLAIN}one::::::\n");
    EXPECT_EQ(run({"-s", "PLAIN", "a"}, "one\r\n").output, "a:{PLAIN}one::::::\n");
    EXPECT_EQ(run({"-s", "PLAIN", "--", "-s"}).output, "-s:{PLAIN}secret::::::\n");
}

TEST(PasswdCommand, RefusesPasswordsThatWouldNotWork)
{
    expect_failure(run({"a"}, ""), "no password given");
    expect_failure(run({"a"}, "\n"), "the password is empty");
    expect_failure(run({"a"}, "\r\n"), "the password is empty");
    expect_failure(run({"a"}, "secret\0x\n"s), "the password holds a NUL");
    const std::string plain =
        "a PLAIN password may not hold \":\" or control characters: the file has no way to write "
        "them";
    expect_failure(run({"-s", "PLAIN", "a"}, "a:b\n"), plain);
    expect_failure(run({"-s", "PLAIN", "a"}, "a\rb\n"), plain);
    expect_failure(run({"-s", "PLAIN", "a"}, "a\tb\n"), plain);
    expect_failure(run({"a"}, std::string(4097, 'x') + "\n"),
                   "the password is longer than 4096 bytes");
}

TEST(PasswdCommand, RefusesPasswordsOfWhichOnlyThePartWouldCount)
{
    const std::string longest(72, 'x');
    const Outcome outcome = run({"a"}, longest + "\n");
    EXPECT_TRUE(lets_in(outcome.output, "a", longest));
    EXPECT_FALSE(lets_in(outcome.output, "a", longest.substr(1)));
    expect_failure(run({"a"}, longest + "x\n"),
                   "only the first 72 bytes of a password count with BLF-CRYPT; the scheme "
                   "SHA512-CRYPT takes up to 511");
    const std::string sha(511, 'x');
    EXPECT_TRUE(lets_in(run({"-s", "SHA512-CRYPT", "a"}, sha + "\n").output, "a", sha));
    EXPECT_EQ(run({"-s", "SHA512-CRYPT", "a"}, sha + "x\n").code, 1);
}

TEST(PasswdCommand, RefusesUsersThatTheFileCanNotHold)
{
    const std::string bad = "the user's name may not hold \":\" or control characters";
    expect_failure(run({"a:b"}), bad);
    expect_failure(run({"a\nroot"}), bad);
    expect_failure(run({"a\x7f"}), bad);
    expect_failure(run({""}), "the user's name is empty");
    expect_failure(run({"#a"}), "the user's name may not begin with \"#\": that is a comment");
    EXPECT_EQ(run({"-s", "PLAIN", std::string(255, 'u')}).code, 0);
    expect_failure(run({"-s", "PLAIN", std::string(256, 'u')}),
                   "the user's name is longer than 255 bytes");
}

TEST(PasswdCommand, SaysWhatIsWrongWithItsArguments)
{
    expect_failure(run({}), "whose password? (postern passwd [-s SCHEME] USER)");
    expect_failure(run({"-s", "PLAIN"}), "whose password? (postern passwd [-s SCHEME] USER)");
    expect_failure(run({"a", "b"}), "one user at a time, please");
    expect_failure(run({"a", "-s"}), "option \"-s\" requires a scheme");
    expect_failure(run({"-x", "a"}), "invalid option: \"-x\"");
    expect_failure(run({"-s", "NTLM", "a"}),
                   "unknown scheme \"NTLM\" (BLF-CRYPT, SHA512-CRYPT, SHA256-CRYPT, YESCRYPT and "
                   "PLAIN are known)");
}

TEST(PasswdCommand, HelpsOnRequest)
{
    for (const auto* option : {"-h", "--help"}) {
        const Outcome outcome = run({option});
        EXPECT_EQ(outcome.code, 0);
        EXPECT_EQ(outcome.errors, "");
        EXPECT_TRUE(outcome.output.starts_with("Usage: postern passwd [-s SCHEME] USER\n"));
    }
}

TEST(PasswdCommand, SaysThatItsOutputFailed)
{
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    ASSERT_EQ(::write(ends[1], "x\n", 2), 2);
    std::FILE* const full = std::fopen("/dev/full", "w");
    std::FILE* const errors = std::tmpfile();
    ASSERT_TRUE(full != nullptr && errors != nullptr);
    std::string option = "-s", scheme = "PLAIN", user = "a";
    char* const arguments[] = {option.data(), scheme.data(), user.data()};
    EXPECT_EQ(passwd_command(arguments, ends[0], full, errors), 1);
    EXPECT_EQ(contents(errors), "postern passwd: the line could not be written\n");
    std::fclose(full);
    close(ends[0]);
    close(ends[1]);
}

// A terminal, somebody at it, and the command as a process of its own.
class Terminal
{
public:
    explicit Terminal(const char* user)
    {
        std::fflush(nullptr);  // or the child would print it again
        child_ = forkpty(&screen_, nullptr, nullptr, nullptr);
        if (child_ == 0) {
            ::signal(SIGINT, SIG_DFL);  // ignored where the tests run in the background
            std::string name = user;
            char* const arguments[] = {name.data()};
            _exit(passwd_command(arguments));
        }
    }
    ~Terminal() { close(screen_); }

    // What is shown, until it ends with `text` or the command is over.
    std::string wait_for(std::string_view text)
    {
        std::string shown;
        char byte;
        while (!shown.ends_with(text) && read(screen_, &byte, 1) == 1) {
            shown += byte;
        }
        return shown;
    }
    void type(std::string_view text) const
    {
        ASSERT_EQ(::write(screen_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    }
    bool echoes() const
    {
        termios settings;
        EXPECT_EQ(tcgetattr(screen_, &settings), 0);
        return (settings.c_lflag & ECHO) != 0;
    }
    int end()
    {
        int status = -1;
        EXPECT_EQ(waitpid(child_, &status, 0), child_);
        return status;
    }

private:
    int screen_ = -1;
    pid_t child_ = -1;
};

TEST(PasswdCommandAtATerminal, AsksTwiceAndShowsNothing)
{
    Terminal terminal("alice");
    EXPECT_EQ(terminal.wait_for("Password: "), "Password: ");
    EXPECT_FALSE(terminal.echoes());
    terminal.type("open sesame\n");
    EXPECT_EQ(terminal.wait_for("Once more: "), "\r\nOnce more: ");
    terminal.type("open sesame\n");
    EXPECT_EQ(terminal.wait_for("\n"), "\r\n");
    std::string line = terminal.wait_for("::::::\r\n");
    ASSERT_TRUE(line.ends_with("\r\n")) << line;
    EXPECT_TRUE(lets_in(line, "alice", "open sesame"));
    EXPECT_TRUE(terminal.echoes());
    EXPECT_EQ(terminal.end(), 0);
}

TEST(PasswdCommandAtATerminal, RefusesTwoThatDiffer)
{
    Terminal terminal("alice");
    terminal.wait_for("Password: ");
    terminal.type("one\n");
    terminal.wait_for("Once more: ");
    terminal.type("two\n");
    EXPECT_EQ(terminal.wait_for("differ\r\n"), "\r\npostern passwd: the two passwords differ\r\n");
    EXPECT_EQ(WEXITSTATUS(terminal.end()), 1);
}

TEST(PasswdCommandAtATerminal, GivesTheEchoBackWhenInterrupted)
{
    for (int round = 0; round < 50;
         ++round) {  // a signal just before the wait would be slept through
        Terminal terminal("alice");
        terminal.wait_for("Password: ");
        EXPECT_FALSE(terminal.echoes());
        terminal.type("sec\x03");  // Ctrl-C
        const int status = terminal.end();
        EXPECT_TRUE(WIFSIGNALED(status));
        EXPECT_EQ(WTERMSIG(status), SIGINT);
        EXPECT_TRUE(terminal.echoes());
    }
}

}  // namespace
}  // namespace postern::auth
