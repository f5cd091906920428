#include "auth/passwd_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>

#include "auth/password_hash.h"
#include "auth/password_prompt.h"
#include "base/text.h"

namespace postern::auth {

namespace {

struct Scheme {
    std::string_view name;
    const char* prefix;         // of crypt(5); null: the password itself
    unsigned long cost = 0;     // 0: libcrypt's own
    std::size_t longest = 511;  // bytes of a password that count
};

// Each takes some 50 ms. libcrypt's own costs for the first three are those of the nineties.
constexpr Scheme kSchemes[] = {
    {.name = "BLF-CRYPT", .prefix = "$2b$", .cost = 10, .longest = 72},
    {.name = "SHA512-CRYPT", .prefix = "$6$", .cost = 100'000},
    {.name = "SHA256-CRYPT", .prefix = "$5$", .cost = 100'000},
    {.name = "YESCRYPT", .prefix = "$y$"},
    {.name = "PLAIN", .prefix = nullptr},
};

constexpr std::size_t kUserMax = 255;

constexpr char kHelp[] =
    "Usage: postern passwd [-s SCHEME] USER\n"
    "\n"
    "Asks for a password, or reads it from the first line of standard input, and prints\n"
    "a line for the file of \"auth_file\".\n"
    "\n"
    "  -s SCHEME  BLF-CRYPT (default), SHA512-CRYPT, SHA256-CRYPT, YESCRYPT, or PLAIN,\n"
    "             which CRAM-MD5 and APOP need; all but YESCRYPT are for Dovecot too,\n"
    "             which calls that one CRYPT\n"
    "  -h         this help\n"
    "\n"
    "Between the line's last two colons and behind them there is room for Dovecot's\n"
    "fields; the last one holds host=, port=, user= and pass= of the mailbox server.\n";

bool has_control(std::string_view text)
{
    return std::ranges::any_of(
        text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; });
}

// What is wrong with it, or "".
std::string problem_of_user(std::string_view user)
{
    if (user.empty()) {
        return "the user's name is empty";
    }
    if (user.size() > kUserMax) {
        return fmt::format("the user's name is longer than {} bytes", kUserMax);
    }
    if (user.contains(':') || has_control(user)) {
        return "the user's name may not hold \":\" or control characters";
    }
    return user.starts_with('#') ? "the user's name may not begin with \"#\": that is a comment"
                                 : "";
}

std::string problem_of_password(std::string_view password, const Scheme& scheme)
{
    if (password.empty()) {
        return "the password is empty";
    }
    if (password.contains('\0')) {
        return "the password holds a NUL";
    }
    if (password.size() > scheme.longest) {
        return fmt::format(
            "only the first {} bytes of a password count with {}; the scheme "
            "SHA512-CRYPT takes up to 511",
            scheme.longest, scheme.name);
    }
    if (scheme.prefix == nullptr && (password.contains(':') || has_control(password))) {
        return "a PLAIN password may not hold \":\" or control characters: the file has no way to "
               "write them";
    }
    return "";
}

struct Options {
    std::string_view scheme = kSchemes[0].name;
    std::optional<std::string_view> user;
    bool help = false;
};

std::expected<Options, std::string> parse_options(std::span<char* const> arguments)
{
    Options options;
    bool options_end = false;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string_view argument = arguments[i];
        if (options_end || !argument.starts_with('-') || argument == "-") {
            if (options.user) {
                return std::unexpected("one user at a time, please");
            }
            options.user = argument;
        } else if (argument == "--") {
            options_end = true;
        } else if (argument == "-h" || argument == "--help") {
            options.help = true;
        } else if (argument == "-s") {
            if (++i == arguments.size()) {
                return std::unexpected("option \"-s\" requires a scheme");
            }
            options.scheme = arguments[i];
        } else {
            return std::unexpected(
                fmt::format("invalid option: \"{}\"", escape_for_log(argument, 64)));
        }
    }
    if (!options.user && !options.help) {
        return std::unexpected("whose password? (postern passwd [-s SCHEME] USER)");
    }
    return options;
}

const Scheme* find_scheme(std::string_view name)
{
    const auto* const found = std::ranges::find_if(
        kSchemes, [name](const Scheme& scheme) { return iequals(scheme.name, name); });
    return found == std::end(kSchemes) ? nullptr : found;
}

// What is wrong before anybody is asked for a password, or "".
std::string problem_of(const Options& options)
{
    if (find_scheme(options.scheme) == nullptr) {
        return fmt::format(
            "unknown scheme \"{}\" (BLF-CRYPT, SHA512-CRYPT, SHA256-CRYPT, YESCRYPT "
            "and PLAIN are known)",
            escape_for_log(options.scheme, 64));
    }
    return problem_of_user(*options.user);
}

std::expected<Secret, std::string> ask_for_password(int input, std::FILE* screen)
{
    auto password = read_password(input, "Password: ", screen);
    if (!password || isatty(input) == 0) {
        return password;
    }
    const auto again = read_password(input, "Once more: ", screen);
    if (!again) {
        return std::unexpected(again.error());
    }
    if (password->reveal() != again->reveal()) {
        return std::unexpected("the two passwords differ");
    }
    return password;
}

std::expected<std::string, std::string> run(const Options& options, int input, std::FILE* screen)
{
    if (std::string problem = problem_of(options); !problem.empty()) {
        return std::unexpected(std::move(problem));
    }
    const auto password = ask_for_password(input, screen);
    if (!password) {
        return std::unexpected(password.error());
    }
    auto line = make_passwd_line(*options.user, *password, options.scheme);
    if (line) {
        *line += '\n';
    }
    return line;
}

}  // namespace

std::expected<std::string, std::string> make_passwd_line(std::string_view user,
                                                         const Secret& password,
                                                         std::string_view scheme_name)
{
    if (std::string problem = problem_of({.scheme = scheme_name, .user = user}); !problem.empty()) {
        return std::unexpected(std::move(problem));
    }
    const Scheme& scheme = *find_scheme(scheme_name);
    const std::string_view text = password.reveal();
    if (std::string problem = problem_of_password(text, scheme); !problem.empty()) {
        return std::unexpected(std::move(problem));
    }
    const auto stored = scheme.prefix == nullptr ? std::optional<std::string>(text)
                                                 : make_hash(text, scheme.prefix, scheme.cost);
    if (!stored) {
        return std::unexpected(fmt::format("libcrypt can't make a hash of {}", scheme.name));
    }
    return fmt::format("{}:{{{}}}{}::::::", user, scheme.name, *stored);
}

int passwd_command(std::span<char* const> arguments, int input, std::FILE* output,
                   std::FILE* errors)
{
    const auto options = parse_options(arguments);
    if (options && options->help) {
        std::fputs(kHelp, output);
        return std::fflush(output) == 0 ? 0 : 1;
    }
    const auto line =
        options ? run(*options, input, errors)
                : std::expected<std::string, std::string>(std::unexpected(options.error()));
    if (!line) {
        std::fprintf(errors, "postern passwd: %s\n", line.error().c_str());
        return 1;
    }
    if (std::fputs(line->c_str(), output) == EOF || std::fflush(output) != 0) {
        std::fputs("postern passwd: the line could not be written\n", errors);
        return 1;
    }
    return 0;
}

}  // namespace postern::auth
