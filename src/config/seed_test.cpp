// The examples of the guide: all of them have to be read, and nothing in them may be missing.
#include <sstream>

#include "config/testing.h"

namespace postern::config {
namespace {

class SeedTest : public ConfigTest
{
protected:
    static std::string example(const std::string& name)
    {
        std::ifstream file(POSTERN_SOURCE_DIR "/tests/seed/" + name);
        EXPECT_TRUE(file) << name;
        std::ostringstream content;
        content << file.rdbuf();
        return content.str();
    }
};

using Strings = std::vector<std::string>;

TEST_F(SeedTest, BasicExample)
{
    const Settings read = settings(example("02-basic-whole.conf"));
    ASSERT_EQ(read.servers.size(), 7u);
    using enum Protocol;
    const Protocol protocols[] = {imap, pop3, smtp, smtp, imap, pop3, smtp};
    for (std::size_t i = 0; i < 7; ++i) {
        EXPECT_EQ(read.servers[i].listens.at(0).protocol, protocols[i]);
        EXPECT_EQ(read.servers[i].server_name, "mail.example.com");
        EXPECT_EQ(read.servers[i].smtp_capabilities,
                  (Strings{"SIZE 10485760", "ENHANCEDSTATUSCODES", "8BITMIME", "DSN"}));
    }
    EXPECT_TRUE(read.servers[1].proxy_pass_error_message);
    EXPECT_FALSE(read.servers[0].proxy_pass_error_message);
    EXPECT_EQ(std::get<AuthHttp>(read.servers[0].auth).port, 9000);
    ASSERT_EQ(read.servers[4].ssl.pairs.size(), 1u);
    EXPECT_EQ(read.servers[4].ssl.pairs[0].certificate.text, "/path/to/cert.pem");
    EXPECT_EQ(read.servers[4].ssl.pairs[0].key.text, "/path/to/key.pem");
    EXPECT_TRUE(warnings_.empty());
}

TEST_F(SeedTest, EnterpriseExample)
{
    const Settings read = settings(example("10-enterprise-whole.conf"));
    ASSERT_EQ(read.servers.size(), 7u);
    EXPECT_EQ(read.servers[0].proxy_timeout, seconds(600));
    EXPECT_EQ(read.servers[4].proxy_timeout, std::chrono::hours(24));
    EXPECT_EQ(read.servers[6].resolver.servers.size(), 2u);
    EXPECT_EQ(read.servers[6].resolver.valid, seconds(300));
    EXPECT_EQ(std::get<AuthHttp>(read.servers[6].auth).host, "auth.example.com");
    EXPECT_TRUE(warnings_.empty());
}

TEST_F(SeedTest, ListenExampleSpeaksWhatEachPortIsKnownFor)
{
    const Settings read =
        settings("mail { auth_http h;\n" + example("03-listen-ports.fragment") + "}");
    using enum Protocol;
    const Protocol protocols[] = {smtp, pop3, imap, smtp, smtp, imap, pop3};
    ASSERT_EQ(read.servers.at(0).listens.size(), 7u);
    for (std::size_t i = 0; i < 7; ++i) {
        EXPECT_EQ(read.servers[0].listens[i].protocol, protocols[i]);
    }
    EXPECT_EQ(warnings_.size(), 4u);
}

TEST_F(SeedTest, FragmentsOfMail)
{
    EXPECT_TRUE(settings(example("03-mail-context.fragment")).servers.empty());
    const Settings blocks =
        settings("mail { auth_http h; " + example("03-server-block.fragment") + "}");
    EXPECT_EQ(blocks.servers.size(), 1u);
    const Settings ssl =
        settings("mail { auth_http h;\n" + example("06-ssl-server.fragment") + "}");
    const Settings start =
        settings("mail { auth_http h;\n" + example("06-starttls.fragment") + "}");
    const Settings access =
        settings("mail { auth_http h;\n" + example("09-allow-deny.fragment") + "}");
    EXPECT_EQ(access.servers.at(0).access.size(), 3u);
}

TEST_F(SeedTest, FragmentsOfMailOrServer)
{
    EXPECT_EQ(server("", example("03-server-name.fragment")).server_name, "mail.example.com");
    EXPECT_EQ(server("", example("04-auth-methods.fragment")).pop3_auth,
              (Mechanisms{.plain = true, .apop = true, .cram_md5 = true}));
    EXPECT_EQ(server("", example("05-imap-capabilities.fragment")).imap_capabilities.size(), 5u);
    EXPECT_EQ(server("", example("05-pop3-capabilities.fragment")).pop3_capabilities.size(), 5u);
    EXPECT_EQ(server("", example("05-smtp-capabilities.fragment")).smtp_capabilities.size(), 4u);
    EXPECT_TRUE(server(example("07-proxy-pass-error-message.fragment")).proxy_pass_error_message);
    EXPECT_EQ(server(example("07-proxy-timeout.fragment")).proxy_timeout, seconds(60));
    EXPECT_EQ(server("", example("08-resolver.fragment")).resolver.servers.size(), 2u);
}

TEST_F(SeedTest, FragmentsThatShowAlternatives)
{
    EXPECT_EQ(
        settings(mail(example("03-protocol-values.fragment"))).servers.at(0).listens.at(0).protocol,
        Protocol::smtp);
    EXPECT_EQ(std::get<AuthHttp>(server(example("04-auth-http.fragment")).auth).host, "localhost");
    EXPECT_EQ(server_error(example("07-xclient.fragment")), "\"xclient\" directive is duplicate");
}

TEST_F(SeedTest, LoggingExampleLacksASourceOfUsers)
{
    EXPECT_EQ(error(example("12-error-log.fragment")),
              "no \"auth_http\" or \"auth_file\" is defined for server in t.conf:4");
}

}  // namespace
}  // namespace postern::config
