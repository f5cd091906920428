#include "config/directives/listen.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/text.h"
#include "base/units.h"
#include "config/url.h"

namespace postern::config {

namespace {

using Failure = std::unexpected<std::string>;

std::optional<Protocol> well_known_protocol(std::uint16_t port)
{
    switch (port) {
    case 143:
    case 993:
        return Protocol::imap;
    case 110:
    case 995:
        return Protocol::pop3;
    case 25:
    case 465:
    case 587:
        return Protocol::smtp;
    default:
        return std::nullopt;
    }
}

// A positive number that a socket option can hold.
std::optional<int> positive(std::optional<std::uint64_t> value)
{
    if (!value || *value == 0 || *value > std::numeric_limits<int>::max()) {
        return std::nullopt;
    }
    return static_cast<int>(*value);
}

// A part of "IDLE:INTERVAL:COUNT"; an empty or zero one is the system's own.
bool read_seconds(std::string_view text, std::optional<seconds>& out)
{
    if (text.empty()) {
        return true;
    }
    const auto value = parse_seconds(text);
    if (!value || value->count() > std::numeric_limits<int>::max()) {
        return false;
    }
    if (value->count() != 0) {
        out = *value;
    }
    return true;
}

bool read_count(std::string_view text, std::optional<int>& out)
{
    if (text.empty()) {
        return true;
    }
    const auto value = parse_number<std::uint64_t>(text);
    out = positive(value);
    return value && (out || *value == 0);
}

std::optional<KeepAlive> parse_keepalive(std::string_view text)
{
    if (text == "on" || text == "off") {
        return KeepAlive{.on = text == "on"};
    }
    KeepAlive result{.on = true};
    std::string_view parts[3];
    for (std::string_view& part : parts) {
        const std::size_t colon = &part == &parts[2] ? std::string_view::npos : text.find(':');
        part = text.substr(0, colon);
        text.remove_prefix(std::min(part.size() + 1, text.size()));
    }
    if (!read_seconds(parts[0], result.idle) || !read_seconds(parts[1], result.interval) ||
        !read_count(parts[2], result.count) ||
        (!result.idle && !result.interval && !result.count)) {
        return std::nullopt;
    }
    return result;
}

Outcome invalid(std::string_view what, std::string_view text, std::string_view wanted)
{
    return Failure(fmt::format("invalid {} \"{}\" ({} is wanted)", what, text, wanted));
}

// "backlog=", "rcvbuf=", "sndbuf=", "ipv6only=", "so_keepalive=". All of them are for a socket of
// the listen's own, so it can't share that of a wildcard.
Outcome read_assignment(Listen& listen, const std::string& parameter)
{
    const std::size_t equals = parameter.find('=');
    const std::string_view name = std::string_view(parameter).substr(0, equals);
    const std::string_view value = std::string_view(parameter).substr(equals + 1);
    listen.bind = true;
    if (name == "backlog") {
        const auto backlog = positive(parse_number<std::uint64_t>(value));
        if (!backlog) {
            return invalid("backlog", parameter, "a number above 0");
        }
        listen.backlog = *backlog;
        return {};
    }
    if (name == "rcvbuf" || name == "sndbuf") {
        const auto size = parse_size(value);
        if (!size || *size > std::numeric_limits<int>::max()) {
            return invalid(name, parameter, "a size such as 64k");
        }
        (name == "rcvbuf" ? listen.rcvbuf : listen.sndbuf) = static_cast<int>(*size);
        return {};
    }
    if (name == "ipv6only" && value.starts_with('o')) {
        if (value != "on" && value != "off") {
            return invalid("ipv6only flags", value, "on or off");
        }
        listen.ipv6only = value == "on";
        return {};
    }
    if (name == "so_keepalive") {
        listen.so_keepalive = parse_keepalive(value);
        if (!listen.so_keepalive) {
            return Failure(
                fmt::format("invalid so_keepalive value: \"{}\" (on, off or "
                            "IDLE:INTERVAL:COUNT is wanted)",
                            value));
        }
        return {};
    }
    return Failure(fmt::format("invalid parameter \"{}\"", parameter));
}

Outcome read_parameter(Listen& listen, const std::string& parameter)
{
    if (parameter == "ssl") {
        listen.ssl = true;
    } else if (parameter == "default_server") {  // not in NGINX's mail proxy
        listen.default_server = true;
    } else if (parameter == "proxy_protocol") {
        listen.proxy_protocol = true;
    } else if (parameter == "bind") {
        listen.bind = true;
    } else if (parameter == "so_keepalive") {  // not in NGINX, which wants a value
        listen.bind = true;
        listen.so_keepalive = KeepAlive{.on = true};
    } else if (parameter == "multipath") {
        listen.bind = true;
        listen.multipath = true;
    } else if (parameter.find('=') != std::string::npos) {
        return read_assignment(listen, parameter);
    } else {
        return Failure(fmt::format("invalid parameter \"{}\"", parameter));
    }
    return {};
}

Outcome bad_address(std::string_view why, std::string_view text)
{
    return Failure(fmt::format("{} in \"{}\" of the \"listen\" directive", why, text));
}

}  // namespace

Outcome listen(Entry& entry)
{
    const std::string& text = entry.argument(0);
    const auto url = parse_url(text, UrlForm::listen);
    if (!url) {
        return bad_address(url.error(), text);
    }
    if (!url->port && !url->is_unix()) {
        return bad_address("no port", text);
    }
    const auto addresses = resolve(*url, url->port.value_or(0));
    if (addresses.empty()) {
        return bad_address("host not found", text);
    }
    Listen pattern;
    pattern.where = entry.where();
    for (std::size_t i = 1; i < entry.arguments().size(); ++i) {
        if (auto read = read_parameter(pattern, entry.argument(i)); !read) {
            return read;
        }
    }
    // NGINX: of a range the first port decides.
    const auto protocol = url->port ? well_known_protocol(*url->port) : std::nullopt;
    ServerDraft& server = entry.server();
    const unsigned first_port = url->port.value_or(0);
    const unsigned last_port = url->last_port.value_or(url->port.value_or(0));
    for (unsigned port = first_port; port <= last_port; ++port) {
        for (SocketAddress address : addresses) {
            address.set_port(static_cast<std::uint16_t>(port));
            if (!server.addresses.insert(address.text()).second) {
                return Failure(
                    fmt::format("duplicate \"{}\" address and port pair", address.text()));
            }
            pattern.address = address;
            server.server.listens.push_back(pattern);
            server.well_known.push_back(protocol);
        }
    }
    return {};
}

}  // namespace postern::config
