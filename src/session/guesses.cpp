#include "session/guesses.h"

#include "listen/access.h"

namespace postern::session {

namespace {

using Refused = limit::AuthFailures::Refused;

// NGINX: what is only delayed is logged one level less severe.
LogLevel milder(LogLevel level)
{
    return level == LogLevel::debug ? level
                                    : static_cast<LogLevel>(static_cast<unsigned char>(level) + 1);
}

}  // namespace

Guess::Guess(const Server& server, const auth::Claim& claim, const auth::Peer& peer,
             const log::SessionLog& log, net::Loop& loop)
    : server_(server), log_(log), loop_(loop)
{
    const bool counts =
        server.failures != nullptr && claim.method != auth::Method::none &&
        (server.settings.address_failures.most > 0 || server.settings.user_failures.most > 0) &&
        !listen::is_among(server.settings.limit_exempt, peer.client_address);
    if (counts) {
        attempt_ =
            server.failures->attempt(peer.client_address, claim.login, claim.password.reveal());
    }
}

limit::Time Guess::now() const
{
    const auto since_boot = loop_.now().time_since_epoch();
    return static_cast<limit::Time>(
        std::chrono::duration_cast<std::chrono::seconds>(since_boot).count());
}

bool Guess::is_refused() const
{
    const Refused refused =
        attempt_ ? server_.failures->refused(*attempt_, limits(), now()) : Refused::no;
    if (refused == Refused::no) {
        return false;
    }
    const bool dry_run = server_.settings.limit_dry_run;
    log_.line(server_.settings.limit_log_level, "limiting failed logins{} by {}",
              dry_run ? ", dry run," : "", refused == Refused::by_address ? "address" : "user");
    if (!dry_run) {
        log_.set_result(log::Result::limited);
    }
    return !dry_run;
}

std::chrono::milliseconds Guess::failed() const
{
    const auto delay = attempt_ ? server_.failures->failed(*attempt_, limits(), now())
                                : std::chrono::milliseconds(0);
    if (delay.count() == 0) {
        return delay;
    }
    const bool dry_run = server_.settings.limit_dry_run;
    log_.line(milder(server_.settings.limit_log_level),
              "delaying answer to failed login{} by {} ms", dry_run ? ", dry run," : "",
              delay.count());
    return dry_run ? std::chrono::milliseconds(0) : delay;
}

bool Guess::succeeded() const
{
    // A dry run has told it once.
    if (!server_.settings.limit_dry_run && is_refused()) {
        return false;
    }
    if (attempt_) {
        server_.failures->succeeded(*attempt_, limits(), now());
    }
    return true;
}

}  // namespace postern::session
