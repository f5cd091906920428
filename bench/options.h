#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "bench/protocol.h"

namespace postern::bench {

// The ports of the mailbox server, in the order of Protocol.
using Ports = std::array<std::uint16_t, kProtocols>;

struct BackendOptions {
    Ports ports{};
};

struct AuthOptions {
    std::uint16_t port = 0;
    Ports mailbox_ports{};
};

enum class Work : unsigned char {
    login,
    lone_login,
    round_trip,
    answers,
    bulk_down,
    bulk_up,
    idle,
    storm
};
enum class Tls : unsigned char { none, implicit, starttls };

struct LoadOptions {
    Work work = Work::login;
    Protocol protocol = Protocol::imap;
    std::uint16_t port = 0;
    Tls tls = Tls::none;
    bool resume = false;
    std::uint32_t clients = 1;
    std::chrono::duration<double> seconds{5};
    std::optional<std::uint64_t> count;  // ends after so many units, whatever time that takes
    std::uint64_t bytes = 0;             // of one answer
    std::uint32_t users = 1;             // different names to log in with
    std::string name = "user";           // what they begin with
};

struct SoakOptions {
    LoadOptions load;  // each client is another user
};

using Options = std::variant<BackendOptions, AuthOptions, LoadOptions, SoakOptions>;

extern const std::string_view kUsage;

// The command line without the program's name. The error is a line for the user.
std::expected<Options, std::string> parse_options(std::span<const std::string_view> arguments);

}  // namespace postern::bench
