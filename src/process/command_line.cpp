#include "process/command_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>

#include "build_info.h"

namespace postern::process {

namespace {

struct Value {
    char option;
    std::string_view what;  // what the option needs
    std::string CommandLine::* member;
};

constexpr Value kValues[] = {
    {'p', "directory name", &CommandLine::prefix},
    {'c', "file name", &CommandLine::conf_path},
    {'e', "file name", &CommandLine::error_log_path},
    {'g', "parameter", &CommandLine::global_directives},
    {'s', "parameter", nullptr},
};

int parse_signal(std::string_view word)
{
    return word == "stop"     ? SIGTERM
           : word == "quit"   ? SIGQUIT
           : word == "reload" ? SIGHUP
           : word == "reopen" ? SIGUSR1
                              : 0;
}

// An option without a value. False: there is none of that letter.
bool set_flag(CommandLine& command_line, char option)
{
    switch (option) {
    case '?':
    case 'h':
        command_line.show_version = command_line.show_help = true;
        return true;
    case 'v':
        command_line.show_version = true;
        return true;
    case 'V':
        command_line.show_version = command_line.show_configure = true;
        return true;
    case 't':
        command_line.test = true;
        return true;
    case 'T':
        command_line.test = command_line.dump = true;
        return true;
    case 'q':
        command_line.quiet = true;
        return true;
    default:
        return false;
    }
}

}  // namespace

std::expected<CommandLine, std::string> parse_command_line(std::span<const char* const> arguments)
{
    CommandLine command_line;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string_view argument = arguments[i];
        if (!argument.starts_with('-')) {
            return std::unexpected(fmt::format("invalid option: \"{}\"", argument));
        }
        for (std::size_t j = 1; j < argument.size(); ++j) {
            const char option = argument[j];
            const auto* value = std::ranges::find(kValues, option, &Value::option);
            if (value == std::end(kValues)) {
                if (!set_flag(command_line, option)) {
                    return std::unexpected(fmt::format("invalid option: \"{}\"", option));
                }
                continue;
            }
            // The rest of this argument, or the next one.
            std::string_view text = argument.substr(j + 1);
            if (text.empty() && i + 1 < arguments.size()) {
                text = arguments[++i];
            }
            if (text.empty()) {
                return std::unexpected(
                    fmt::format("option \"-{}\" requires {}", option, value->what));
            }
            if (value->member != nullptr) {
                command_line.*value->member = text;
            } else {
                command_line.signal = parse_signal(text);
                if (command_line.signal == 0) {
                    return std::unexpected(fmt::format("invalid option: \"-s {}\"", text));
                }
            }
            break;
        }
    }
    return command_line;
}

std::string version_text(bool with_configure)
{
    std::string text = fmt::format("postern version: postern/{}\n", build::kVersion);
    if (with_configure) {
        text += fmt::format("built by {}\nconfigure arguments: {}\n", build::kCompiler,
                            build::kConfigureArguments);
        text += fmt::format("protocols:{}{}{}\n", POSTERN_IMAP ? " imap" : "",
                            POSTERN_POP3 ? " pop3" : "", POSTERN_SMTP ? " smtp" : "");
    }
    return text;
}

std::string help_text()
{
    return fmt::format(
        "Usage: postern [-?hvVtTq] [-s signal] [-p prefix]\n"
        "               [-e filename] [-c filename] [-g directives]\n"
        "       postern passwd [-s scheme] user\n"
        "\n"
        "Options:\n"
        "  -?,-h         : this help\n"
        "  -v            : show version and exit\n"
        "  -V            : show version and configure options then exit\n"
        "  -t            : test configuration and exit\n"
        "  -T            : test configuration, dump it and exit\n"
        "  -q            : suppress non-error messages during configuration testing\n"
        "  -s signal     : send signal to a master process: stop, quit, reopen, reload\n"
        "  -p prefix     : set prefix path (default: {}/)\n"
        "  -e filename   : set error log file (default: {})\n"
        "  -c filename   : set configuration file (default: {})\n"
        "  -g directives : set global directives out of configuration file\n"
        "\n"
        "  passwd        : make a line for a file of users (\"auth_file\")\n"
        "\n",
        build::kPrefix, build::kErrorLogPath, build::kConfPath);
}

}  // namespace postern::process
