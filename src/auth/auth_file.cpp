#include "auth/auth_file.h"

#include <algorithm>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/text.h"

namespace postern::auth {

namespace {

constexpr std::string_view kNotInTime =
    "password not checked: too many are waiting for that, or it took too long";

// Why not, for the log.
struct Wrong {
    std::string reason;
};
struct NoUsers {
    std::string reason;
};
using Answer = std::variant<Mailbox, Wrong, NoUsers>;

// With what the user's line says; host and port stay empty if it says nothing of them.
Mailbox mailbox_of(const PasswdFile::User& user, const Claim& claim)
{
    Mailbox mailbox;
    mailbox.host = user.host;
    mailbox.port = user.port;
    mailbox.login = user.login && !user.login->empty() ? *user.login : claim.login;
    if (user.password) {
        mailbox.password = user.password->copy();
    } else {
        // A digest is of no use to the mailbox server, but it has shown that this is the password.
        mailbox.password =
            claim.method == Method::plain ? claim.password.copy() : user.plain.copy();
    }
    mailbox.has_password = true;
    mailbox.ssl = user.ssl;
    if (user.ssl) {
        mailbox.ssl_verify = user.ssl_verify;
    }
    return mailbox;
}

// May throw for want of memory.
Answer look_up_or_throw(UsersFile& file, const Claim& claim)
{
    const auto users = file.users();
    if (!users) {
        return NoUsers{users.error()};
    }
    const auto checked = (*users)->check(claim.method, claim.login, claim.password, claim.salt);
    switch (checked.result) {
    case PasswdFile::Result::accepted:
        return mailbox_of(*checked.user, claim);
    case PasswdFile::Result::refused:
        return Wrong{"no such user or wrong password"};
    case PasswdFile::Result::needs_plain:
        return Wrong{claim.method == Method::external
                         ? "the users file has only a hash of the user's password, but after "
                           "EXTERNAL the mailbox server wants pass= or {PLAIN}"
                         : "the users file has a hash of the user's password, but APOP and "
                           "CRAM-MD5 need {PLAIN}"};
    }
    std::unreachable();
}

// On a thread of the pool, which nothing may be thrown to.
Answer look_up(UsersFile& file, const Claim& claim)
{
    try {
        return look_up_or_throw(file, claim);
    } catch (const std::exception& error) {
        return NoUsers{fmt::format("users file \"{}\" failed ({})", file.path(), error.what())};
    }
}

// The session may be gone before the thread has finished: it gets its own copy.
Claim copy_credentials(const Claim& claim)
{
    Claim copy;
    copy.method = claim.method;
    copy.login = claim.login;
    copy.password = claim.password.copy();
    copy.salt = claim.salt;
    return copy;
}

// EXTERNAL (RFC 4422 appendix A): it is the certificate that says who the client is. What the
// client says must be that too, or nothing. Why it is refused, or "".
std::string claim_by_certificate(Claim& claim, const Peer& peer)
{
    if (!peer.tls || peer.tls->verify != "SUCCESS" || !peer.tls->certificate) {
        return "EXTERNAL without a verified client certificate";
    }
    const std::vector<std::string>& users = peer.tls->certificate->users;
    if (claim.login.empty() && users.size() == 1) {
        claim.login = users.front();
    }
    if (!(std::ranges::find(users, claim.login) != users.end())) {
        return "the client's certificate is not for the user that EXTERNAL names";
    }
    return "";
}

// One answer to unknown users and wrong passwords: who exists is not a stranger's business.
Refusal refuse()
{
    return {.text = "Invalid login or password", .error_code = "", .wait = AuthFile::kRefusalWait};
}

// RFC 8314 section 3 for those that begin with TLS.
std::uint16_t standard_port(config::Protocol protocol, config::ProxySsl ssl)
{
    const bool begins_with_tls = ssl == config::ProxySsl::on;
    switch (protocol) {
    case config::Protocol::imap:
        return begins_with_tls ? 993 : 143;
    case config::Protocol::pop3:
        return begins_with_tls ? 995 : 110;
    case config::Protocol::smtp:
        return begins_with_tls ? 465 : 25;
    }
    std::unreachable();
}

}  // namespace

net::Task<Verdict> AuthFile::check(const Claim& claim, const Peer& peer, log::SessionLog& log)
{
    log.set_action("checking the users file");
    Claim own = copy_credentials(claim);
    switch (claim.method) {
    case Method::plain:
    case Method::apop:
    case Method::cram_md5:
        break;
    case Method::external:
        if (std::string problem = claim_by_certificate(own, peer); !problem.empty()) {
            log.write(LogLevel::info, problem);
            co_return refuse();
        }
        log.set_login(own.login);
        break;
    case Method::none:
        co_return complete(Mailbox{}, claim, peer, log);
    }
    std::move_only_function<Answer()> work = [users = users_, asked = std::move(own)] {
        return look_up(*users, asked);
    };
    auto answer = co_await pool_.run(std::move(work));
    if (!answer) {
        log.write(LogLevel::error, kNotInTime);
        co_return Failure{};
    }
    if (const auto* const no_users = std::get_if<NoUsers>(&*answer)) {
        log.write(LogLevel::error, no_users->reason);
        co_return Failure{};
    }
    if (const auto* const wrong = std::get_if<Wrong>(&*answer)) {
        log.write(LogLevel::info, wrong->reason);
        co_return refuse();
    }
    co_return complete(std::move(std::get<Mailbox>(*answer)), claim, peer, log);
}

// With what the user's line leaves open.
Verdict AuthFile::complete(Mailbox mailbox, const Claim& claim, const Peer& peer,
                           log::SessionLog& log) const
{
    if (mailbox.host.empty()) {
        mailbox.host = settings_.default_host;
    }
    if (mailbox.port == 0) {
        mailbox.port = settings_.default_port;
    }
    if (mailbox.host.empty()) {
        const std::string place = settings_.where.text();
        if (claim.method == Method::none) {
            log.line(LogLevel::error,
                     "no mailbox host for mail without login: \"auth_file\" in {} has no "
                     "\"default=\"",
                     place);
        } else {
            log.line(LogLevel::error,
                     "no mailbox host for \"{}\": neither \"host=\" in \"{}\" nor \"default=\" of "
                     "\"auth_file\" in {}",
                     escape_for_log(claim.login), users_->path(), place);
        }
        return Failure{};
    }
    if (mailbox.port == 0) {
        mailbox.port = standard_port(peer.protocol, mailbox.ssl.value_or(proxy_ssl_));
    }
    return mailbox;
}

}  // namespace postern::auth
