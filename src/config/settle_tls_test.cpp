#include "config/settle_tls.h"

#include "config/testing.h"

namespace postern::config {
namespace {

using SettleTlsTest = ConfigTest;
using Strings = std::vector<std::string>;

constexpr char kNoTrust[] =
    "no ssl_client_certificate or ssl_trusted_certificate for ssl_verify_client";

TEST_F(SettleTlsTest, TheNthKeyBelongsToTheNthCertificate)
{
    const auto pairs = server(
                           "listen 993 ssl; ssl_certificate /a; ssl_certificate_key b;\n"
                           "ssl_certificate_key engine:x:y; ssl_certificate data:PEM;\n"
                           "ssl_certificate c; ssl_certificate_key store:pkcs11:x;")
                           .ssl.pairs;
    ASSERT_EQ(pairs.size(), 3u);
    EXPECT_EQ(pairs[0].certificate.text, "/a");
    EXPECT_EQ(pairs[0].key.text, folder_ + "conf/b");
    EXPECT_EQ(pairs[1].certificate.text, "data:PEM");
    EXPECT_EQ(pairs[1].key.text, "engine:x:y");
    EXPECT_EQ(pairs[2].certificate.text, folder_ + "conf/c");
    EXPECT_EQ(pairs[2].key.text, "store:pkcs11:x");
    EXPECT_EQ(local(pairs[1].certificate.where.text()), "t.conf:6");
    EXPECT_EQ(local(pairs[0].key.where.text()), "t.conf:5");
}

TEST_F(SettleTlsTest, CertificatesAndKeysAreInheritedEachByItself)
{
    const auto pairs = server("listen 993 ssl; ssl_certificate /c;",
                              "ssl_certificate /a; ssl_certificate /b; ssl_certificate_key /k;")
                           .ssl.pairs;
    ASSERT_EQ(pairs.size(), 1u);
    EXPECT_EQ(pairs[0].certificate.text, "/c");
    EXPECT_EQ(pairs[0].key.text, "/k");
}

TEST_F(SettleTlsTest, EveryCertificateNeedsAKey)
{
    EXPECT_EQ(error(mail("listen 993 ssl;\nlisten 994 ssl; starttls on;\nssl_certificate /a;")),
              "no \"ssl_certificate_key\" is defined for certificate \"/a\" and the \"listen ... "
              "ssl\" directive in t.conf:6");
    EXPECT_EQ(error(mail("starttls on; ssl_certificate /a;\nssl_certificate \"data:SECRET\"; "
                         "ssl_certificate_key /b;")),
              "no \"ssl_certificate_key\" is defined for certificate \"data:...\" and the "
              "\"starttls\" directive in t.conf:5");
    EXPECT_EQ(error(mail("ssl_certificate_key /a;", "starttls only;")),
              "no \"ssl_certificate\" is defined for the \"starttls\" directive in t.conf:2");
    EXPECT_EQ(error(mail("listen 993 ssl;")), "");
    EXPECT_EQ(error(mail("starttls on;")), "");
}

TEST_F(SettleTlsTest, KeysWithoutCertificateAreWarnedOf)
{
    EXPECT_EQ(server("starttls on; ssl_certificate /a;\nssl_certificate_key /b;\n"
                     "ssl_certificate_key /c;")
                  .ssl.pairs.size(),
              1u);
    EXPECT_EQ(warnings_, Strings{"warn: no \"ssl_certificate\" is defined for certificate key "
                                 "\"/c\", ignored in t.conf:7"});
}

TEST_F(SettleTlsTest, VerificationNeedsSomebodyToTrust)
{
    EXPECT_EQ(error(mail("listen 993 ssl;\nssl_verify_client on;")),
              std::string(kNoTrust) + " in t.conf:6");
    EXPECT_EQ(error(mail("starttls on;", "ssl_verify_client optional;")),
              std::string(kNoTrust) + " in t.conf:2");
    EXPECT_EQ(error(mail("starttls on; ssl_verify_client optional_no_ca;")), "");
    EXPECT_EQ(error(mail("starttls on; ssl_verify_client off;")), "");
    EXPECT_EQ(error(mail("starttls on; ssl_verify_client on; ssl_client_certificate a;")), "");
    EXPECT_EQ(error(mail("starttls on; ssl_verify_client on; ssl_trusted_certificate a;")), "");
    EXPECT_EQ(server_error("starttls on; ssl_verify_client on; ssl_client_certificate \"\";",
                           "ssl_client_certificate a;"),
              kNoTrust);
}

TEST_F(SettleTlsTest, OnlyServersWithTlsAreLookedAt)
{
    EXPECT_EQ(error(mail("ssl_certificate a;")), "");
    EXPECT_EQ(error(mail("ssl_certificate_key a;")), "");
    EXPECT_EQ(error(mail("ssl_verify_client on;")), "");
    settings(mail("ssl_certificate_compression on;"));
    EXPECT_TRUE(warnings_.empty());
}

TEST_F(SettleTlsTest, CompressionIsIgnoredWithAWarning)
{
    settings(
        "mail { auth_http h;\nssl_certificate_compression on;\nstarttls on;\n"
        "server { listen 143; } server { listen 110; }\n"
        "server { listen 25; ssl_certificate_compression off; } }");
    EXPECT_EQ(warnings_, Strings{"warn: \"ssl_certificate_compression\" is not supported on this "
                                 "platform, ignored in t.conf:2"});
    EXPECT_EQ(server_error("ssl_certificate_compression yes;"),
              "invalid value \"yes\" in \"ssl_certificate_compression\" directive, it must be "
              "\"on\" or \"off\"");
}

TEST_F(SettleTlsTest, OurOwnCertificateNeedsItsKey)
{
    for (const std::string prefix : {"proxy_ssl", "auth_http_ssl"}) {
        const std::string certificate = prefix + "_certificate";
        EXPECT_EQ(error(mail("\n" + certificate + " /a;")),
                  "no \"" + certificate + "_key\" is defined for certificate \"/a\" in t.conf:6");
        EXPECT_EQ(
            error(mail(certificate + "_key \"data:SECRET\";")),
            "no \"" + certificate + "\" is defined for certificate key \"data:...\" in t.conf:5");
        EXPECT_EQ(error(mail(certificate + "_key /a;" + certificate + " /b;")), "");
        EXPECT_EQ(error(mail(certificate + "_key /a;", certificate + " /b;")), "");
    }
}

TEST_F(SettleTlsTest, WhoDoesNotVerifyMailboxServersIsWarned)
{
    const auto warned = [this](const std::string& in_server, const std::string& in_mail = "") {
        server(in_server, in_mail);
        return warnings_.size();
    };
    EXPECT_EQ(warned("proxy_ssl on;"), 1u);
    EXPECT_EQ(warnings_.at(0).find("warn: certificates of mailbox servers are not verified"), 0u);
    EXPECT_TRUE(warnings_.at(0).ends_with(" in t.conf:5")) << warnings_.at(0);
    EXPECT_EQ(warned("proxy_ssl starttls;"), 1u);
    EXPECT_EQ(warned(""), 0u);
    EXPECT_EQ(warned("proxy_ssl off;", "proxy_ssl on;"), 0u);
    EXPECT_EQ(warned("proxy_ssl on; proxy_ssl_verify off;"), 0u);
    EXPECT_EQ(warned("proxy_ssl on; proxy_ssl_verify on;"), 0u);
    EXPECT_EQ(warned("proxy_ssl on;", "proxy_ssl_verify on;"), 0u);
    settings(
        "mail { auth_http h;\nproxy_ssl on; server { listen 143; } server { listen 110; }\n"
        "server { listen 25;\nproxy_ssl starttls; } }");
    ASSERT_EQ(warnings_.size(), 2u);  // of what is inherited once
    EXPECT_TRUE(warnings_[0].ends_with(" in t.conf:2"));
    EXPECT_TRUE(warnings_[1].ends_with(" in t.conf:4"));
}

}  // namespace
}  // namespace postern::config
