#pragma once

#include <chrono>
#include <memory>

#include "auth/authenticator.h"
#include "auth/hash_pool.h"
#include "auth/users_file.h"

namespace postern::auth {

// Looks users up in the file that "auth_file" names.
class AuthFile final : public Authenticator
{
public:
    // How long a client waits for a "no": as a service would say with Auth-Wait, it makes guessing
    // slow and costs those who mistyped little.
    static constexpr std::chrono::seconds kRefusalWait{2};

    // `proxy_ssl` holds for users whose line says nothing of TLS.
    AuthFile(std::shared_ptr<UsersFile> users, HashPool& pool, net::Loop& loop,
             config::AuthFile settings, config::ProxySsl proxy_ssl)
        : users_(std::move(users)),
          pool_(pool, loop),
          settings_(std::move(settings)),
          proxy_ssl_(proxy_ssl)
    {
    }

    net::Task<Verdict> check(const Claim& claim, const Peer& peer, log::SessionLog& log) override;

private:
    Verdict complete(Mailbox mailbox, const Claim& claim, const Peer& peer,
                     log::SessionLog& log) const;

    std::shared_ptr<UsersFile> users_;
    PoolClient pool_;
    config::AuthFile settings_;
    config::ProxySsl proxy_ssl_;
};

}  // namespace postern::auth
