#include "bench/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "base/text.h"

namespace postern::bench {

const std::string_view kUsage =
    "usage: postern_bench backend --imap PORT --pop3 PORT --smtp PORT\n"
    "       postern_bench auth --port PORT --imap PORT --pop3 PORT --smtp PORT\n"
    "       postern_bench load WORK --protocol imap|pop3|smtp --port PORT\n"
    "                     [--tls none|implicit|starttls] [--resume] [--clients N] [--users N]\n"
    "                     [--seconds S | --count N] [--bytes N]\n"
    "       postern_bench soak --protocol imap|pop3|smtp --port PORT\n"
    "                     [--tls none|implicit|starttls] [--clients N] [--name TEXT]\n"
    "WORK: login, lone-login, round-trip, answers, bulk-down, bulk-up, idle, storm\n";

namespace {

constexpr std::array kWorkNames{
    std::string_view("login"),   std::string_view("lone-login"), std::string_view("round-trip"),
    std::string_view("answers"), std::string_view("bulk-down"),  std::string_view("bulk-up"),
    std::string_view("idle"),    std::string_view("storm"),
};
constexpr std::array kTlsNames{std::string_view("none"), std::string_view("implicit"),
                               std::string_view("starttls")};

constexpr std::uint64_t kAnswerBytes = 32 * 1024;
constexpr std::uint64_t kBulkBytes = 16 * 1024 * 1024;
constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 40;
constexpr std::uint32_t kClientsMax = 1'000'000;
constexpr double kSecondsMax = 86'400;

using Result = std::expected<Options, std::string>;

// "--name value" pairs, each name once; takes them out one by one, so that what is left is unknown.
class Pairs
{
public:
    std::string read(std::span<const std::string_view> arguments)
    {
        for (std::size_t i = 0; i < arguments.size(); ++i) {
            const std::string_view name = arguments[i];
            if (!name.starts_with("--")) {
                return fmt::format("unexpected argument \"{}\"", name);
            }
            std::string_view value;
            if (name != "--resume") {
                if (++i == arguments.size()) {
                    return fmt::format("{} has no value", name);
                }
                value = arguments[i];
            }
            if (!values_.emplace(name, value).second) {
                return fmt::format("{} is there twice", name);
            }
        }
        return {};
    }

    bool take_flag(std::string_view name) { return values_.erase(name) != 0; }

    bool has(std::string_view name) const { return values_.contains(name); }

    template <std::unsigned_integral T>
    void take(std::string_view name, T& into, std::uint64_t least, std::uint64_t most)
    {
        const auto text = take_text(name);
        if (!text) {
            return;
        }
        const auto number = parse_number<std::uint64_t>(*text);
        if (!number || *number < least || *number > most) {
            complain("{} \"{}\" is not a number from {} to {}", name, *text, least, most);
        } else {
            into = static_cast<T>(*number);
        }
    }

    void take_port(std::string_view name, std::uint16_t& into)
    {
        if (!has(name)) {
            complain("{} is missing", name);
        }
        take(name, into, 1, 65535);
    }

    void take_seconds(std::string_view name, std::chrono::duration<double>& into)
    {
        const auto text = take_text(name);
        if (!text) {
            return;
        }
        double number = 0;
        const auto [end, error] =
            std::from_chars(text->data(), text->data() + text->size(), number);
        if (error != std::errc{} || end != text->data() + text->size() || !(number > 0) ||
            number > kSecondsMax) {
            complain("{} \"{}\" is not a number of seconds", name, *text);
        } else {
            into = std::chrono::duration<double>(number);
        }
    }

    void take_name(std::string_view name, std::string& into)
    {
        if (const auto text = take_text(name)) {
            into.assign(*text);
        }
    }

    template <typename E, std::size_t N>
    void take_word(std::string_view name, E& into, const std::array<std::string_view, N>& words)
    {
        if (const auto text = take_text(name)) {
            const auto found = std::ranges::find(words, *text);
            if (found == words.end()) {
                complain("{} \"{}\" is none of: {}", name, *text, fmt::join(words, ", "));
            } else {
                into = static_cast<E>(found - words.begin());
            }
        }
    }

    template <typename... Arguments>
    void complain(fmt::format_string<Arguments...> text, Arguments&&... arguments)
    {
        if (error_.empty()) {
            error_ = fmt::format(text, std::forward<Arguments>(arguments)...);
        }
    }

    // What was wrong with any of them; "" if nothing was.
    std::string error() const
    {
        if (error_.empty() && !values_.empty()) {
            return fmt::format("{} means nothing here", values_.begin()->first);
        }
        return error_;
    }

private:
    std::optional<std::string_view> take_text(std::string_view name)
    {
        const auto found = values_.find(name);
        if (found == values_.end()) {
            return std::nullopt;
        }
        const std::string_view text = found->second;
        values_.erase(found);
        return text;
    }

    std::map<std::string_view, std::string_view> values_;
    std::string error_;
};

void take_ports(Pairs& pairs, Ports& ports)
{
    for (std::size_t i = 0; i < kProtocols; ++i) {
        pairs.take_port(fmt::format("--{}", kProtocolNames[i]), ports[i]);
    }
}

// Where clients go.
void take_target(Pairs& pairs, LoadOptions& options)
{
    if (!pairs.has("--protocol")) {
        pairs.complain("--protocol is missing");
    }
    pairs.take_word("--protocol", options.protocol, kProtocolNames);
    pairs.take_port("--port", options.port);
    pairs.take_word("--tls", options.tls, kTlsNames);
}

Result parse_load(Pairs& pairs, Work work)
{
    LoadOptions options{.work = work};
    take_target(pairs, options);
    options.resume = pairs.take_flag("--resume");
    if (options.resume && options.tls == Tls::none) {
        pairs.complain("--resume is of no use without --tls");
    }
    pairs.take("--clients", options.clients, 1, work == Work::lone_login ? 1 : kClientsMax);
    pairs.take("--users", options.users, 1, kClientsMax);

    const bool waits = work == Work::idle || work == Work::storm;
    if (!waits) {
        if (pairs.has("--seconds") && pairs.has("--count")) {
            pairs.complain("--seconds and --count exclude each other");
        }
        pairs.take_seconds("--seconds", options.seconds);
        if (pairs.has("--count")) {
            pairs.take("--count", options.count.emplace(), 1, kBytesMax);
        }
    }
    const bool bulk = work == Work::bulk_down || work == Work::bulk_up;
    if (bulk || work == Work::answers) {
        options.bytes = bulk ? kBulkBytes : kAnswerBytes;
        pairs.take("--bytes", options.bytes, 1, kBytesMax);
    }
    if (auto error = pairs.error(); !error.empty()) {
        return std::unexpected(std::move(error));
    }
    return options;
}

}  // namespace

Result parse_options(std::span<const std::string_view> arguments)
{
    if (arguments.empty()) {
        return std::unexpected("a command is missing");
    }
    const std::string_view command = arguments[0];
    arguments = arguments.subspan(1);
    std::size_t work = 0;
    if (command == "load") {
        const auto found =
            arguments.empty() ? kWorkNames.end() : std::ranges::find(kWorkNames, arguments[0]);
        if (found == kWorkNames.end()) {
            return std::unexpected(fmt::format("load what? {}", fmt::join(kWorkNames, ", ")));
        }
        work = static_cast<std::size_t>(found - kWorkNames.begin());
        arguments = arguments.subspan(1);
    }

    Pairs pairs;
    if (auto error = pairs.read(arguments); !error.empty()) {
        return std::unexpected(std::move(error));
    }
    if (command == "load") {
        return parse_load(pairs, static_cast<Work>(work));
    }
    Options options;
    if (command == "backend") {
        take_ports(pairs, options.emplace<BackendOptions>().ports);
    } else if (command == "auth") {
        auto& auth = options.emplace<AuthOptions>();
        pairs.take_port("--port", auth.port);
        take_ports(pairs, auth.mailbox_ports);
    } else if (command == "soak") {
        LoadOptions& load = options.emplace<SoakOptions>().load;
        take_target(pairs, load);
        pairs.take("--clients", load.clients, 1, kClientsMax);
        load.users = load.clients;
        pairs.take_name("--name", load.name);
    } else {
        return std::unexpected(fmt::format("unknown command \"{}\"", command));
    }
    if (auto error = pairs.error(); !error.empty()) {
        return std::unexpected(std::move(error));
    }
    return options;
}

}  // namespace postern::bench
