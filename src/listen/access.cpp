#include "listen/access.h"

#include <utility>

namespace postern::listen {

namespace {

bool matches(const config::AccessRule& rule, const SocketAddress& client)
{
    switch (rule.who) {
    case config::AccessRule::Who::all:
        return true;
    case config::AccessRule::Who::unix_socket:
        return client.is_unix();
    case config::AccessRule::Who::network:
        return rule.network.contains(client);
    }
    std::unreachable();
}

}  // namespace

bool is_allowed(const std::vector<config::AccessRule>& rules, const SocketAddress& client)
{
    for (const config::AccessRule& rule : rules) {
        if (matches(rule, client)) {
            return rule.allow;
        }
    }
    return true;
}

bool is_among(const std::vector<config::PeerRule>& peers, const SocketAddress& client)
{
    return std::ranges::any_of(peers, [&](const config::PeerRule& peer) {
        return peer.unix_socket ? client.is_unix() : peer.network.contains(client);
    });
}

}  // namespace postern::listen
