#include "config/directive.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "build_info.h"
#include "config/directives/groups.h"

namespace postern::config {

namespace {

// How many letters have to be added, dropped, replaced or swapped with a neighbour.
std::size_t edit_distance(std::string_view a, std::string_view b)
{
    std::vector<std::size_t> before_last(b.size() + 1);
    std::vector<std::size_t> last(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) {
        row[j] = j;
    }
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::swap(before_last, last);
        std::swap(last, row);
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const bool same = a[i - 1] == b[j - 1];
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = std::min(row[j], before_last[j - 2] + 1);
            }
        }
    }
    return row.back();
}

}  // namespace

std::span<const DirectiveGroup> directive_groups()
{
    static const std::array groups = {
        DirectiveGroup{"Process", main_directives()},
        DirectiveGroup{"The worker", worker_directives()},
        DirectiveGroup{"Events", events_directives()},
        DirectiveGroup{"Mail servers", mail_directives()},
        DirectiveGroup{"Clients behind a proxy", real_ip_directives()},
        DirectiveGroup{"Who may connect", access_directives()},
        DirectiveGroup{"How many may connect", limit_directives()},
        DirectiveGroup{"Limits until the login", login_limit_directives()},
        DirectiveGroup{"Where users are looked up", auth_directives()},
        DirectiveGroup{"IMAP", imap_directives()},
        DirectiveGroup{"POP3", pop3_directives()},
        DirectiveGroup{"SMTP", smtp_directives()},
        DirectiveGroup{"Mailbox servers", proxy_directives()},
        DirectiveGroup{"Name lookup", resolver_directives()},
        DirectiveGroup{"A line for each session", access_log_directives()},
        DirectiveGroup{"TLS with clients", ssl_directives()},
        DirectiveGroup{"TLS with mailbox servers", proxy_ssl_directives()},
        DirectiveGroup{"TLS with the service of auth_http", auth_http_ssl_directives()},
        DirectiveGroup{"Accepted, without effect", no_effect_directives()},
    };
    return groups;
}

const Directive* find_directive(std::string_view name)
{
    for (const DirectiveGroup& group : directive_groups()) {
        for (const Directive& directive : group.directives) {
            if (directive.name == name) {
                return &directive;
            }
        }
    }
    return nullptr;
}

std::string_view similar_directive(std::string_view name)
{
    constexpr std::size_t kNameBytesMax = 64;  // the distance takes time by the square of it
    constexpr std::size_t kDistanceMax = 2;
    if (name.size() > kNameBytesMax || name.size() < 3) {
        return "";
    }
    std::size_t best = kDistanceMax + 1;
    std::string_view similar;
    for (const DirectiveGroup& group : directive_groups()) {
        for (const Directive& directive : group.directives) {
            const std::size_t distance = edit_distance(name, directive.name);
            // Two letters make another word of a short one.
            if (distance < best && distance * 2 < directive.name.size()) {
                best = distance;
                similar = directive.name;
            }
        }
    }
    return similar;
}

std::string context_names(unsigned contexts)
{
    constexpr std::array<std::pair<unsigned, std::string_view>, 4> kNames = {
        {{kMain, "main"}, {kEvents, "events"}, {kMail, "mail"}, {kServer, "server"}}};
    std::string result;
    for (const auto& [context, name] : kNames) {
        if ((contexts & context) != 0) {
            result += fmt::format("{}\"{}\"", result.empty() ? "" : " or ", name);
        }
    }
    return result;
}

Outcome require_in_build(Protocol protocol)
{
    constexpr std::array<bool, 3> kBuilt = {POSTERN_IMAP != 0, POSTERN_POP3 != 0,
                                            POSTERN_SMTP != 0};
    if (kBuilt[static_cast<std::size_t>(protocol)]) {
        return {};
    }
    return std::unexpected(
        fmt::format("\"{0}\" protocol was left out of this build (--without-mail_{0}_module)",
                    to_string(protocol)));
}

}  // namespace postern::config
