#include "session/client_host.h"

#include <algorithm>

#include "base/text.h"
#include "net/deadline.h"

namespace postern::session {

namespace {

constexpr char kUnavailable[] = "[UNAVAILABLE]";
constexpr char kTemporarilyUnavailable[] = "[TEMPUNAVAIL]";

// It goes into a header field and a command: nothing but what host names are made of.
bool is_host_name(std::string_view name)
{
    return !name.empty() && name.size() <= 255 && std::ranges::all_of(name, [](char c) {
        return is_alpha(c) || is_digit(c) || c == '-' || c == '.';
    });
}

// What some host can be called (RFC 1123 section 2.1). "192.0.2.1" is an address, whoever says in
// DNS that it is a name; and an SMTP server refuses an XCLIENT command with a name that is none.
bool is_possible(std::string_view name)
{
    for (;;) {
        const std::string_view label = name.substr(0, name.find('.'));
        if (label.empty() || label.starts_with('-') || label.ends_with('-')) {
            return false;
        }
        if (label.size() == name.size()) {
            return !std::ranges::all_of(label, is_digit);
        }
        name.remove_prefix(label.size() + 1);
    }
}

SocketAddress without_port(SocketAddress address)
{
    address.set_port(0);
    return address;
}

}  // namespace

net::Task<std::string> client_host(net::Resolver& resolver, const config::MailServer& settings,
                                   const SocketAddress& client, log::SessionLog& log)
{
    if (!settings.resolver.configured) {
        co_return kUnavailable;
    }
    if (!client.is_ip()) {
        co_return kTemporarilyUnavailable;
    }
    net::Deadline deadline(resolver.loop());
    deadline.set(settings.resolver_timeout);
    log.set_action("in resolving client address");
    const auto name = co_await resolver.name(client, deadline);
    if (!name) {
        log.line(LogLevel::error, "{} could not be resolved ({})", client.ip_text(),
                 name.error().text());
        co_return name.error().not_found ? kUnavailable : kTemporarilyUnavailable;
    }
    const bool is_host = is_host_name(*name);
    if (!is_host || !is_possible(*name)) {
        log.line(LogLevel::error, "{} resolved to invalid host name \"{}\"", client.ip_text(),
                 escape_for_log(*name));
        co_return is_host ? kUnavailable : kTemporarilyUnavailable;
    }
    log.debug("client's address resolved to \"{}\"", *name);
    deadline.set(settings.resolver_timeout);
    log.set_action("in resolving client hostname");
    const auto family =
        client.family() == AF_INET ? net::Resolver::Family::ipv4 : net::Resolver::Family::ipv6;
    const auto addresses = co_await resolver.addresses(*name, 0, deadline, family);
    if (!addresses) {
        log.line(LogLevel::error, "\"{}\" could not be resolved ({})", *name,
                 addresses.error().text());
        co_return addresses.error().not_found ? kUnavailable : kTemporarilyUnavailable;
    }
    if (std::ranges::find(*addresses, without_port(client)) == addresses->end()) {
        log.debug("client's address is none of the {} that its name has", addresses->size());
        co_return kUnavailable;
    }
    co_return *name;
}

}  // namespace postern::session
