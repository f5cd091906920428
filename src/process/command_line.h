#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace postern::process {

// What the command line asks for, with NGINX's options and messages.
struct CommandLine {
    bool show_help = false;
    bool show_version = false;
    bool show_configure = false;  // with -V
    bool test = false;
    bool dump = false;           // with -T
    bool quiet = false;          // with -q
    std::string prefix;          // of -p; empty: the one built in
    std::string conf_path;       // of -c; empty: the one built in
    std::string error_log_path;  // of -e; empty: the one built in
    std::string global_directives;
    int signal = 0;  // of -s; 0: none
};

// Reads the arguments, without the program's name. The error is complete but for the program's
// name.
std::expected<CommandLine, std::string> parse_command_line(std::span<const char* const> arguments);

// What -v, -V and -h print.
std::string version_text(bool with_configure);
std::string help_text();

}  // namespace postern::process
