#include "auth/auth_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "auth/password_hash.h"
#include "base/md5.h"

namespace postern::auth {
namespace {

using namespace std::chrono_literals;

// A users file, and sessions that ask for its users.
class AuthFileTest : public testing::Test
{
protected:
    AuthFileTest()
    {
        std::string name = testing::TempDir() + "postern-auth-XXXXXX";
        folder_ = mkdtemp(name.data());
        settings_.path = folder_ + "/users";
        settings_.where = {"postern.conf", 7};
        peer_.protocol = config::Protocol::imap;
        std::string error;
        const LogTarget target{.level = LogLevel::info, .path = folder_ + "/log"};
        logger_ = log::Logger({{targets_.open(target, error), LogLevel::info}});
        EXPECT_EQ(error, "");
    }
    ~AuthFileTest() override { std::filesystem::remove_all(folder_); }

    void write(std::string_view text) const { std::ofstream(settings_.path) << text; }

    Verdict ask(const Claim& claim)
    {
        net::Loop loop;
        AuthFile file(std::make_shared<UsersFile>(settings_.path, logger_, 0s), pool_, loop,
                      settings_, proxy_ssl_);
        log::SessionLog log(logger_, 1, "127.0.0.1", "0.0.0.0:143");
        std::optional<Verdict> verdict;
        net::spawn(store(file, claim, peer_, log, loop, verdict));
        if (!verdict) {
            loop.run();
        }
        return std::move(*verdict);
    }

    Verdict ask(Method method, std::string login, std::string_view password = "",
                std::string salt = "")
    {
        Claim claim;
        claim.method = method;
        claim.login = std::move(login);
        claim.password = Secret(password);
        claim.salt = std::move(salt);
        return ask(claim);
    }

    Mailbox mailbox(Method method, std::string login, std::string_view password = "",
                    std::string salt = "")
    {
        Verdict verdict = ask(method, std::move(login), password, std::move(salt));
        auto* const found = std::get_if<Mailbox>(&verdict);
        EXPECT_TRUE(found != nullptr);
        return found ? std::move(*found) : Mailbox{};
    }

    void expect_refusal(const Verdict& verdict)
    {
        const auto* const refusal = std::get_if<Refusal>(&verdict);
        ASSERT_TRUE(refusal != nullptr);
        EXPECT_EQ(refusal->text, "Invalid login or password");
        EXPECT_EQ(refusal->error_code, "");
        EXPECT_EQ(refusal->wait, 2s);
    }

    void expect_failure(const Verdict& verdict, const std::string& line)
    {
        EXPECT_TRUE(std::holds_alternative<Failure>(verdict));
        EXPECT_EQ(logged("[error]"), 1u);
        EXPECT_EQ(logged(line), 1u) << line;
    }

    // The log's lines that hold `text`.
    std::size_t logged(const std::string& text) const
    {
        std::ifstream log(folder_ + "/log");
        std::size_t count = 0;
        for (std::string line; std::getline(log, line);) {
            count += line.find(text) != std::string::npos;
        }
        return count;
    }

    static net::Task<> store(AuthFile& file, const Claim& claim, const Peer& peer,
                             log::SessionLog& log, net::Loop& loop, std::optional<Verdict>& verdict)
    {
        verdict = co_await file.check(claim, peer, log);
        loop.stop();
    }

    std::string folder_;
    config::AuthFile settings_;
    config::ProxySsl proxy_ssl_ = config::ProxySsl::off;
    Peer peer_;
    log::Targets targets_;
    log::Logger logger_;
    HashPool pool_;
};

TEST_F(AuthFileTest, FindsTheMailboxThatTheLineNames)
{
    write("alice:{PLAIN}secret::::::host=10.1.2.3 port=10143 user=al pass=other\n");
    settings_.default_host = "default.example";
    settings_.default_port = 1;
    const Mailbox found = mailbox(Method::plain, "alice", "secret");
    EXPECT_EQ(found.host, "10.1.2.3");
    EXPECT_EQ(found.port, 10143);
    EXPECT_EQ(found.login, "al");
    EXPECT_EQ(found.password.reveal(), "other");
    EXPECT_TRUE(found.has_password);
}

TEST_F(AuthFileTest, PassesOnWhatTheClientGave)
{
    write("alice:" + *make_hash("secret", "$2b$", 4) + "::::::host=::1\n");
    const Mailbox found = mailbox(Method::plain, "alice", "secret");
    EXPECT_EQ(found.host, "::1");
    EXPECT_EQ(found.login, "alice");
    EXPECT_EQ(found.password.reveal(), "secret");
    EXPECT_TRUE(found.has_password);
}

TEST_F(AuthFileTest, HostAndPortHaveDefaultsOfTheirOwn)
{
    write(
        "none:{PLAIN}x\n"
        "host:{PLAIN}x::::::host=a.example\n"
        "port:{PLAIN}x::::::port=3\n");
    settings_.default_host = "default.example";
    EXPECT_EQ(mailbox(Method::plain, "none", "x").host, "default.example");
    EXPECT_EQ(mailbox(Method::plain, "none", "x").port, 143);
    EXPECT_EQ(mailbox(Method::plain, "host", "x").host, "a.example");
    EXPECT_EQ(mailbox(Method::plain, "host", "x").port, 143);
    EXPECT_EQ(mailbox(Method::plain, "port", "x").host, "default.example");
    EXPECT_EQ(mailbox(Method::plain, "port", "x").port, 3);
    settings_.default_port = 2;
    EXPECT_EQ(mailbox(Method::plain, "none", "x").port, 2);
    EXPECT_EQ(mailbox(Method::plain, "host", "x").port, 2);
    EXPECT_EQ(mailbox(Method::plain, "port", "x").port, 3);
}

TEST_F(AuthFileTest, EachProtocolHasItsPort)
{
    write("alice:{PLAIN}x::::::host=a.example\n");
    peer_.protocol = config::Protocol::pop3;
    EXPECT_EQ(mailbox(Method::plain, "alice", "x").port, 110);
    peer_.protocol = config::Protocol::smtp;
    EXPECT_EQ(mailbox(Method::plain, "alice", "x").port, 25);
}

TEST_F(AuthFileTest, DigestsProveThePlainPasswordThatTheMailboxServerGets)
{
    const std::string salt = "<1.2@mail.example>";
    write(
        "alice:{PLAIN}secret::::::host=a.example\n"
        "bob:{PLAIN}secret::::::host=a.example pass=other\n");
    const Mailbox alice = mailbox(Method::cram_md5, "alice", hmac_md5_hex("secret", salt), salt);
    EXPECT_EQ(alice.password.reveal(), "secret");
    EXPECT_TRUE(alice.has_password);
    const Mailbox bob = mailbox(Method::apop, "bob", md5_hex(salt + "secret"), salt);
    EXPECT_EQ(bob.password.reveal(), "other");
    expect_refusal(ask(Method::apop, "alice", md5_hex(salt + "wrong"), salt));
    expect_refusal(ask(Method::cram_md5, "alice", "secret", salt));
}

TEST_F(AuthFileTest, WhoIsRefusedCanNotTellWhy)
{
    const std::string salt = "<1.2@mail.example>";
    write("alice:" + *make_hash("secret", "$2b$", 4) + "::::::host=a.example\n");
    expect_refusal(ask(Method::plain, "alice", "wrong"));
    expect_refusal(ask(Method::plain, "nobody", "secret"));
    expect_refusal(ask(Method::cram_md5, "alice", hmac_md5_hex("secret", salt), salt));
    expect_refusal(ask(Method::cram_md5, "nobody", hmac_md5_hex("secret", salt), salt));
    expect_refusal(ask(Method::apop, "alice", md5_hex(salt + "secret"), salt));
    expect_refusal(ask(Method::external, "alice"));
    EXPECT_EQ(logged("[info]"), 6u);
    EXPECT_EQ(logged("no such user or wrong password while checking the users file, client"), 3u);
    EXPECT_EQ(logged("APOP and CRAM-MD5 need {PLAIN}"), 2u);
    EXPECT_EQ(logged("EXTERNAL without a verified client certificate"), 1u);
    EXPECT_EQ(logged("secret"), 0u);
}

TEST_F(AuthFileTest, ExternalBelievesTheCertificateAlone)
{
    write("alice:{PLAIN}x::::::host=a.example\nbob:{PLAIN}y::::::host=b.example\n");
    peer_.tls = PeerTls{.protocol = "TLSv1.3", .cipher = "x", .verify = "SUCCESS"};
    expect_refusal(ask(Method::external, "alice"));  // no certificate
    peer_.tls->certificate.emplace();
    expect_refusal(ask(Method::external, "alice"));  // that names nobody
    expect_refusal(ask(Method::external, ""));
    peer_.tls->certificate->users = {"alice"};
    EXPECT_EQ(mailbox(Method::external, "alice").host, "a.example");
    const Mailbox found = mailbox(Method::external, "");
    EXPECT_EQ(found.login, "alice");
    EXPECT_EQ(found.password.reveal(), "x");
    expect_refusal(ask(Method::external, "bob"));
    peer_.tls->certificate->users = {"alice", "bob"};
    EXPECT_EQ(mailbox(Method::external, "bob").host, "b.example");
    expect_refusal(ask(Method::external, ""));  // which of them?
    for (const char* const verdict : {"", "NONE", "FAILED:self-signed certificate"}) {
        peer_.tls->verify = verdict;
        expect_refusal(ask(Method::external, "alice"));
    }
}

TEST_F(AuthFileTest, TheStandardPortIsThatOfTheProtection)
{
    using config::ProxySsl;
    write(
        "plain:{PLAIN}x::::::host=h\nssl:{PLAIN}x::::::host=h ssl=yes\n"
        "off:{PLAIN}x::::::host=h ssl=no\nstarttls:{PLAIN}x::::::host=h starttls=any-cert\n");
    const auto port = [this](config::Protocol protocol, const char* login) {
        peer_.protocol = protocol;
        return mailbox(Method::plain, login, "x").port;
    };
    EXPECT_EQ(port(config::Protocol::imap, "plain"), 143);
    EXPECT_EQ(port(config::Protocol::imap, "ssl"), 993);
    EXPECT_EQ(port(config::Protocol::pop3, "ssl"), 995);
    EXPECT_EQ(port(config::Protocol::smtp, "ssl"), 465);
    EXPECT_EQ(port(config::Protocol::smtp, "starttls"), 25);
    proxy_ssl_ = ProxySsl::on;
    EXPECT_EQ(port(config::Protocol::imap, "plain"), 993);
    EXPECT_EQ(port(config::Protocol::imap, "off"), 143);
    EXPECT_EQ(port(config::Protocol::imap, "starttls"), 143);
    const Mailbox any = mailbox(Method::plain, "starttls", "x");
    EXPECT_EQ(any.ssl, ProxySsl::starttls);
    EXPECT_EQ(any.ssl_verify, false);
    EXPECT_FALSE(mailbox(Method::plain, "plain", "x").ssl_verify.has_value());
}

TEST_F(AuthFileTest, FailsWithoutAHost)
{
    write("al\"ice:{PLAIN}x::::::port=3\n");
    expect_failure(ask(Method::plain, "al\"ice", "x"),
                   "no mailbox host for \"al\\x22ice\": neither \"host=\" in \"" + settings_.path +
                       "\" nor \"default=\" of \"auth_file\" in postern.conf:7");
}

TEST_F(AuthFileTest, MailWithoutLoginGoesToTheDefault)
{
    settings_.default_host = "mx.example";  // the users file need not even be there
    peer_.protocol = config::Protocol::smtp;
    const Mailbox found = mailbox(Method::none, "");
    EXPECT_EQ(found.host, "mx.example");
    EXPECT_EQ(found.port, 25);
    EXPECT_EQ(found.login, "");
    EXPECT_FALSE(found.has_password);
}

TEST_F(AuthFileTest, MailWithoutLoginNeedsTheDefault)
{
    write("alice:{PLAIN}x::::::host=a.example\n");
    peer_.protocol = config::Protocol::smtp;
    expect_failure(ask(Method::none, ""),
                   "no mailbox host for mail without login: \"auth_file\" in postern.conf:7 has no "
                   "\"default=\"");
}

TEST_F(AuthFileTest, FailsWithoutTheFile)
{
    settings_.default_host = "a.example";
    expect_failure(ask(Method::plain, "alice", "x"),
                   "open() \"" + settings_.path +
                       "\" failed (2: No such file or directory) while checking the users file");
}

TEST_F(AuthFileTest, FailsWhenTooMuchIsQueued)
{
    write("alice:{PLAIN}x::::::host=a.example\n");
    net::Loop loop;
    HashPool full(1, 0);
    AuthFile file(std::make_shared<UsersFile>(settings_.path, logger_), full, loop, settings_,
                  proxy_ssl_);
    log::SessionLog log(logger_, 1, "127.0.0.1", "0.0.0.0:143");
    Claim claim;
    claim.login = "alice";
    claim.password = Secret("x");
    std::optional<Verdict> verdict;
    net::spawn(store(file, claim, peer_, log, loop, verdict));
    ASSERT_TRUE(verdict.has_value());
    expect_failure(*verdict, "password not checked: too many are waiting for that");
}

TEST_F(AuthFileTest, ASessionMayGoWhileItsPasswordIsChecked)
{
    write("alice:" + *make_hash("secret", "$2b$", 4) + "::::::host=a.example\n");
    net::Loop loop;
    AuthFile file(std::make_shared<UsersFile>(settings_.path, logger_), pool_, loop, settings_,
                  proxy_ssl_);
    log::SessionLog log(logger_, 1, "127.0.0.1", "0.0.0.0:143");
    std::optional<Verdict> dropped;
    {
        Claim claim;
        claim.login = "alice";
        claim.password = Secret("secret");
        net::Task<> session = store(file, claim, peer_, log, loop, dropped);
        session.await_suspend(std::noop_coroutine()).resume();
    }
    Claim claim;
    claim.login = "alice";
    claim.password = Secret("secret");
    std::optional<Verdict> verdict;
    net::spawn(store(file, claim, peer_, log, loop, verdict));
    loop.run();
    EXPECT_TRUE(std::holds_alternative<Mailbox>(*verdict));
    EXPECT_FALSE(dropped.has_value());
}

}  // namespace
}  // namespace postern::auth
