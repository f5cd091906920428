#include "config/url.h"

#include <netdb.h>

#include <algorithm>
#include <memory>

#include "base/text.h"

namespace postern::config {

namespace {

using Failure = std::unexpected<std::string>;

Failure failure(const char* words)
{
    return Failure(words);
}

// Letters, digits and what else names have. Neither an HTTP header nor a log line can be forged by
// it.
bool is_host_name(std::string_view host)
{
    return std::ranges::all_of(host, [](char c) {
        return is_alpha(c) || is_digit(c) || c == '.' || c == '-' || c == '_';
    });
}

std::optional<std::uint16_t> parse_port(std::string_view digits)
{
    const auto port = parse_number<std::uint16_t>(digits);
    return port && *port != 0 ? port : std::nullopt;
}

// "143" or, in a listen, "143-150".
std::expected<void, std::string> read_ports(Url& url, std::string_view text, UrlForm form)
{
    const std::size_t dash = form == UrlForm::listen ? text.find('-') : std::string_view::npos;
    if (dash != std::string_view::npos) {
        url.last_port = parse_port(text.substr(dash + 1));
        if (!url.last_port) {
            return failure("invalid port");
        }
    }
    url.port = parse_port(text.substr(0, dash));
    if (!url.port) {
        return failure("invalid port");
    }
    if (url.last_port && *url.port > *url.last_port) {
        return failure("invalid port range");
    }
    return {};
}

std::expected<Url, std::string> parse_unix(std::string_view path, UrlForm form)
{
    Url url;
    if (form == UrlForm::service) {
        const std::size_t colon = std::min(path.find(':'), path.size());
        url.uri = path.substr(std::min(colon + 1, path.size()));
        path = path.substr(0, colon);
    }
    constexpr std::size_t kPathBytesMax = sizeof(sockaddr_un::sun_path) - 1;
    if (path.empty()) {
        return failure("no path in the unix domain socket");
    }
    if (path.size() > kPathBytesMax) {
        return failure("too long path in the unix domain socket");
    }
    url.unix_path = path;
    return url;
}

// `text` starts with "[".
std::expected<Url, std::string> parse_ipv6(std::string_view text, UrlForm form)
{
    Url url;
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) {
        return failure("invalid host");
    }
    const std::string_view rest = text.substr(close + 1);
    if (!rest.empty() && rest.front() != ':') {
        return failure("invalid host");
    }
    if (!rest.empty()) {
        if (auto read = read_ports(url, rest.substr(1), form); !read) {
            return Failure(read.error());
        }
    }
    if (close == 1) {
        return failure("no host");
    }
    const auto address = SocketAddress::parse_ip(text.substr(1, close - 1), 0);
    if (!address || address->family() != AF_INET6) {
        return failure("invalid IPv6 address");
    }
    url.host = text.substr(0, close + 1);
    return url;
}

// A name, an IPv4 address, "*", or a port alone.
std::expected<Url, std::string> parse_ipv4(std::string_view text, UrlForm form)
{
    Url url;
    const std::size_t colon = text.find(':');
    if (colon != std::string_view::npos) {
        if (auto read = read_ports(url, text.substr(colon + 1), form); !read) {
            return Failure(read.error());
        }
        text = text.substr(0, colon);
    } else if (form == UrlForm::listen && !text.empty() &&
               text.find_first_not_of("0123456789-") == std::string_view::npos) {
        if (auto read = read_ports(url, text, form); !read) {
            return Failure(read.error());
        }
        text = "*";
    }
    if (text.empty()) {
        return failure("no host");
    }
    if (!is_host_name(text) && !(form == UrlForm::listen && text == "*")) {
        return failure("invalid host");
    }
    url.host = text;
    return url;
}

}  // namespace

std::expected<Url, std::string> parse_url(std::string_view text, UrlForm form)
{
    if (iequals(text.substr(0, 5), "unix:")) {
        return parse_unix(text.substr(5), form);
    }
    const std::size_t uri = std::min(text.find_first_of("/?"), text.size());
    if (uri != text.size() && form != UrlForm::service) {
        return failure("invalid host");
    }
    const std::string_view authority = text.substr(0, uri);
    auto url =
        authority.starts_with('[') ? parse_ipv6(authority, form) : parse_ipv4(authority, form);
    if (url) {
        url->uri = text.substr(uri);
    }
    return url;
}

std::vector<SocketAddress> resolve(const Url& url, std::uint16_t port)
{
    if (url.is_unix()) {
        return {SocketAddress::unix_path(url.unix_path)};
    }
    if (url.host == "*") {
        return {SocketAddress::any_ipv4(port)};
    }
    if (const auto address = SocketAddress::parse_ip(trim(url.host, "[]"), port)) {
        return {*address};
    }
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    addrinfo* found = nullptr;
    if (::getaddrinfo(url.host.c_str(), nullptr, &hints, &found) != 0) {
        return {};
    }
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> cleaner(found, ::freeaddrinfo);
    std::vector<SocketAddress> addresses;
    for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
        auto address = SocketAddress::from(each->ai_addr, each->ai_addrlen);
        address.set_port(port);
        if (address.is_ip() && std::ranges::find(addresses, address) == addresses.end()) {
            addresses.push_back(address);
        }
    }
    return addresses;
}

}  // namespace postern::config
