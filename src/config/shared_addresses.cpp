#include "config/shared_addresses.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <unordered_map>

namespace postern::config {

namespace {

// One server at an address.
struct Part {
    const MailServer* server;
    Listen* listen;
};

std::unexpected<Error> fail(const Listen& listen, std::string_view message)
{
    return std::unexpected(Error::at(listen.where, message));
}

std::unexpected<Error> duplicate(const Listen& listen, std::string_view why)
{
    return fail(listen, fmt::format("duplicate \"{}\" address and port pair ({})",
                                    listen.address.text(), why));
}

bool starts_tls(const Part& part)
{
    return part.server->starttls != StartTls::off;
}

// The way to TLS has to be the same until the client has asked for a name.
Checked check_likeness(const Part& first, const Part& part)
{
    const Listen& listen = *part.listen;
    const std::string other = first.listen->where.text();
    if (listen.protocol != first.listen->protocol) {
        return duplicate(listen, fmt::format("it speaks {} there, and the one in {} {}",
                                             to_string(listen.protocol), other,
                                             to_string(first.listen->protocol)));
    }
    if (listen.proxy_protocol != first.listen->proxy_protocol) {
        return duplicate(
            listen, fmt::format("\"proxy_protocol\" has to be here and in {}, or nowhere", other));
    }
    const bool both_ssl = listen.ssl && first.listen->ssl;
    const bool neither_ssl = !listen.ssl && !first.listen->ssl;
    if (!both_ssl && !(neither_ssl && starts_tls(part) && starts_tls(first))) {
        return duplicate(listen,
                         fmt::format("servers may share one if all have \"ssl\" there, or all have "
                                     "\"starttls on\" or \"only\"; the other one is in {}",
                                     other));
    }
    return {};
}

// Socket options and the part of the default server may be written once.
Checked check_once(const std::vector<Part>& parts)
{
    bool has_options = false;
    bool has_default = false;
    for (const Part& part : parts) {
        const Listen& listen = *part.listen;
        if (listen.bind && has_options) {
            return fail(listen,
                        fmt::format("duplicate listen options for {}", listen.address.text()));
        }
        if (listen.default_server && has_default) {
            return fail(listen,
                        fmt::format("a duplicate default server for {}", listen.address.text()));
        }
        has_options = has_options || listen.bind;
        has_default = has_default || listen.default_server;
    }
    return {};
}

// Of servers with the same name the first has it, and the default server comes before all.
Checked check_names(const std::vector<Part>& parts, Draft& draft)
{
    std::set<std::string_view> taken;
    for (const Part& part : parts) {
        const Listen& listen = *part.listen;
        const std::vector<std::string>& names = part.server->names;
        const std::set<std::string_view> own(names.begin(), names.end());
        const auto is_taken = [&](std::string_view name) { return taken.contains(name); };
        if (&part != &parts.front() && std::ranges::all_of(own, is_taken)) {
            return duplicate(listen, fmt::format("no name leads here: a \"server_name\" that the "
                                                 "server in {} hasn't got is wanted",
                                                 parts.front().listen->where.text()));
        }
        for (const std::string_view name : own) {
            if (!taken.insert(name).second) {
                draft.warnings.push_back(
                    {LogLevel::warn,
                     Error::at(listen.where,
                               fmt::format("conflicting server name \"{}\" on {}, ignored", name,
                                           listen.address.text()))
                         .text});
            }
        }
    }
    return {};
}

Checked settle(std::vector<Part>& parts, Draft& draft)
{
    for (const Part& part : parts) {
        if (&part == &parts.front()) {
            continue;
        }
        if (auto alike = check_likeness(parts.front(), part); !alike) {
            return alike;
        }
    }
    if (auto once = check_once(parts); !once) {
        return once;
    }
    const auto chosen =
        std::ranges::find_if(parts, [](const Part& part) { return part.listen->default_server; });
    if (chosen != parts.end()) {
        std::rotate(parts.begin(), chosen, chosen + 1);
    }
    parts.front().listen->default_server = true;
    return check_names(parts, draft);
}

}  // namespace

Checked settle_addresses(Draft& draft)
{
    std::vector<std::vector<Part>> addresses;  // in the order of the file
    std::unordered_map<std::string, std::size_t> known;
    for (MailServer& server : draft.settings.servers) {
        for (Listen& listen : server.listens) {
            const auto [at, is_new] = known.emplace(listen.address.text(), addresses.size());
            if (is_new) {
                addresses.emplace_back();
            }
            addresses[at->second].push_back({&server, &listen});
        }
    }
    for (std::vector<Part>& parts : addresses) {
        if (auto settled = settle(parts, draft); !settled) {
            return settled;
        }
    }
    return {};
}

}  // namespace postern::config
