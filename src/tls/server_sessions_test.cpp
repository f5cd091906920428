// How clients come back to a server, and where they can't.
#include "tls/server_context.h"
#include "tls/testing_site.h"

namespace postern::tls {
namespace {

using config::MailServer;
using config::VerifyClient;
using Own = config::SslSessionCache::Own;

class ServerSessionsTest : public testing::Test
{
protected:
    bool add(const std::string& name, const Site::Change& change = {})
    {
        return site.add({name}, change,
                        {.self_signed = nullptr, .zone = zone, .ticket_keys = ticket_keys});
    }
    // Comes to `first`, and with what it got there to `second`.
    bool resumes(const std::string& first, const std::string& second)
    {
        visitor.session.reset();
        EXPECT_TRUE(visitor.visit(site, first)) << visitor.pair->client.error();
        if (!visitor.session) {
            return false;
        }
        EXPECT_TRUE(visitor.visit(site, second, true)) << visitor.pair->client.error();
        return visitor.resumed();
    }
    bool resumes(const std::string& name) { return resumes(name, name); }
    void use_version(int version)
    {
        SSL_CTX_set_min_proto_version(visitor.context.get(), version);
        SSL_CTX_set_max_proto_version(visitor.context.get(), version);
    }
    static void no_tickets(MailServer& server) { server.ssl.session_tickets = false; }
    static void shared_cache(MailServer& server)
    {
        server.ssl.session_tickets = false;
        server.ssl.session_cache.zone = "SSL";
    }

    std::shared_ptr<SessionZone> zone = SessionZone::make(64 * 1024);
    std::shared_ptr<TicketKeys> ticket_keys = TicketKeys::make(std::chrono::seconds(300));
    Site site;
    Visitor visitor;
};

constexpr int kVersions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

TEST_F(ServerSessionsTest, TicketsBringClientsBack)
{
    ASSERT_TRUE(add("a"));
    for (const int version : kVersions) {
        use_version(version);
        EXPECT_TRUE(resumes("a"));
    }
}

TEST_F(ServerSessionsTest, WithoutTicketsAndCacheNobodyComesBack)
{
    zone = nullptr;
    ASSERT_TRUE(add("none", no_tickets));
    ASSERT_TRUE(add("off", [](MailServer& server) {
        no_tickets(server);
        server.ssl.session_cache.own = Own::off;
    }));
    for (const int version : kVersions) {
        use_version(version);
        EXPECT_FALSE(resumes("none"));
        EXPECT_FALSE(resumes("off"));
    }
}

TEST_F(ServerSessionsTest, OffSaysSoAndNonePretends)
{
    zone = nullptr;
    ASSERT_TRUE(add("none", no_tickets));
    ASSERT_TRUE(add("off", [](MailServer& server) {
        no_tickets(server);
        server.ssl.session_cache.own = Own::off;
    }));
    use_version(TLS1_2_VERSION);
    const auto id_size = [&](const std::string& name) {
        EXPECT_TRUE(visitor.visit(site, name));
        unsigned size = 0;
        SSL_SESSION_get_id(SSL_get_session(visitor.client()), &size);
        return size;
    };
    EXPECT_EQ(id_size("off"), 0u);
    EXPECT_EQ(id_size("none"), 32u);
}

TEST_F(ServerSessionsTest, TheSharedCacheBringsClientsBackWithoutTickets)
{
    ASSERT_TRUE(add("a", shared_cache));
    for (const int version : kVersions) {
        use_version(version);
        EXPECT_TRUE(resumes("a"));
    }
}

TEST_F(ServerSessionsTest, TheProcesssOwnCacheToo)
{
    zone = nullptr;
    ASSERT_TRUE(add("a", [](MailServer& server) {
        no_tickets(server);
        server.ssl.session_cache.own = Own::builtin;
    }));
    for (const int version : kVersions) {
        use_version(version);
        EXPECT_TRUE(resumes("a"));
    }
}

TEST_F(ServerSessionsTest, ACacheWorksBehindAFirstServerWithoutOne)
{
    for (const Own own : {Own::none, Own::off}) {
        Site both;
        ASSERT_TRUE(both.add({"first"}, [&](MailServer& server) {
            no_tickets(server);
            server.ssl.session_cache.own = own;
        }));
        ASSERT_TRUE(both.add({"second"}, shared_cache,
                             {.self_signed = nullptr, .zone = zone, .ticket_keys = nullptr}));
        ASSERT_TRUE(visitor.visit(both, ""));
        EXPECT_EQ(visitor.server_index(), 100u);
        EXPECT_EQ(visitor.common_name(), "first");
        for (const int version : kVersions) {
            use_version(version);
            visitor.session.reset();
            ASSERT_TRUE(visitor.visit(both, "second"));
            ASSERT_NE(visitor.session, nullptr) << static_cast<int>(own);
            ASSERT_TRUE(visitor.visit(both, "second", true));
            EXPECT_TRUE(visitor.resumed()) << static_cast<int>(own) << ' ' << version;
        }
    }
}

TEST_F(ServerSessionsTest, ATicketOfOneServerIsWorthNothingAtAStricterOne)
{
    const Issued authority = make_authority();
    const config::SslPair same = pair_of(site.folder, "same", issue({}));
    ASSERT_TRUE(add("open", [&](MailServer& server) { server.ssl.pairs = {same}; }));
    const auto strict = [&](MailServer& server) {
        server.ssl.pairs = {same};
        server.ssl.verify_client = VerifyClient::on;
        server.ssl.client_certificate =
            written(site.folder.write("ca", authority.certificate_pem()));
    };
    ASSERT_TRUE(add("strict", strict));
    ASSERT_TRUE(add("deeper", [&](MailServer& server) {
        strict(server);
        server.ssl.verify_depth = 2;
    }));
    ASSERT_TRUE(add("revoking", [&](MailServer& server) {
        strict(server);
        server.ssl.crl = written(site.folder.write("crl", revocation_list(authority, {})));
    }));
    ASSERT_TRUE(add("other"));  // another certificate
    const std::string names[] = {"open", "strict", "deeper", "revoking", "other"};
    for (const int version : kVersions) {
        use_version(version);
        for (const std::string& first : names) {
            for (const std::string& second : names) {
                EXPECT_EQ(resumes(first, second), first == second) << first << ' ' << second;
            }
        }
    }
}

TEST_F(ServerSessionsTest, ACachedSessionOfOneServerIsWorthNothingAtAnother)
{
    ASSERT_TRUE(add("a", shared_cache));
    ASSERT_TRUE(add("b", shared_cache));
    for (const int version : kVersions) {
        use_version(version);
        EXPECT_TRUE(resumes("a", "a"));
        EXPECT_FALSE(resumes("a", "b"));
        EXPECT_FALSE(resumes("b", "a"));
        EXPECT_TRUE(resumes("b", "b"));
    }
}

TEST_F(ServerSessionsTest, EachServersSessionsLastAsLongAsItSays)
{
    ASSERT_TRUE(add("short", [](auto& s) { s.ssl.session_timeout = std::chrono::seconds(100); }));
    ASSERT_TRUE(add("long", [](auto& s) { s.ssl.session_timeout = std::chrono::seconds(5000); }));
    for (const int version : kVersions) {
        use_version(version);
        const auto lifetime = [&](const std::string& name) {
            visitor.session.reset();
            EXPECT_TRUE(visitor.visit(site, name));
            return SSL_SESSION_get_ticket_lifetime_hint(visitor.session.get());
        };
        EXPECT_EQ(lifetime("short"), 100u);
        EXPECT_EQ(lifetime("long"), 5000u);
    }
}

TEST_F(ServerSessionsTest, ResumptionDoesNotMakeASessionLiveLonger)
{
    ASSERT_TRUE(add("a", [](MailServer& server) {
        no_tickets(server);
        server.ssl.session_cache.own = Own::builtin;
        server.ssl.session_timeout = std::chrono::seconds(300);
    }));
    use_version(TLS1_3_VERSION);
    ASSERT_TRUE(visitor.visit(site, "a"));
    auto* const kept = reinterpret_cast<OPENSSL_LHASH*>(SSL_CTX_sessions(site.contexts[0]->get()));
    OPENSSL_LH_doall(kept, [](void* one) {
        auto* const session = static_cast<SSL_SESSION*>(one);
        SSL_SESSION_set_time(session, SSL_SESSION_get_time(session) - 100);
    });
    ASSERT_TRUE(visitor.visit(site, "a", true));
    ASSERT_TRUE(visitor.resumed());
    const unsigned long left = SSL_SESSION_get_ticket_lifetime_hint(visitor.session.get());
    EXPECT_LE(left, 200u);
    EXPECT_GE(left, 150u);
}

}  // namespace
}  // namespace postern::tls
