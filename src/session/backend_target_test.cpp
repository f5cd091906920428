#include "session/backend_target.h"

#include <gtest/gtest.h>

namespace postern::session {
namespace {

using config::ProxySsl;

config::MailServer server()
{
    config::MailServer settings;
    settings.proxy_ssl = ProxySsl::starttls;
    settings.proxy_ssl_settings.verify = true;
    settings.proxy_ssl_settings.name = "mail.example.com";
    return settings;
}

auth::Mailbox mailbox(std::string host)
{
    auth::Mailbox mailbox;
    mailbox.host = std::move(host);
    mailbox.port = 143;
    return mailbox;
}

TEST(BackendTarget, TheServerDecidesWhereNothingIsSaidOfTheUser)
{
    const backend::Target target = backend_target(server(), mailbox("10.0.0.7"));
    EXPECT_EQ(target.host, "10.0.0.7");
    EXPECT_EQ(target.port, 143);
    EXPECT_EQ(target.ssl, ProxySsl::starttls);
    EXPECT_TRUE(target.verify);
    EXPECT_EQ(target.name, "mail.example.com");
}

TEST(BackendTarget, WhatIsSaidOfTheUserCountsForMore)
{
    for (const ProxySsl ssl : {ProxySsl::on, ProxySsl::starttls, ProxySsl::off}) {
        auth::Mailbox wanted = mailbox("10.0.0.7");
        wanted.ssl = ssl;
        EXPECT_EQ(backend_target(server(), wanted).ssl, ssl);
        EXPECT_TRUE(backend_target(server(), wanted).verify);
    }

    auth::Mailbox unverified = mailbox("10.0.0.7");
    unverified.ssl_verify = false;
    EXPECT_FALSE(backend_target(server(), unverified).verify);

    config::MailServer lax = server();
    lax.proxy_ssl_settings.verify = false;
    EXPECT_FALSE(backend_target(lax, mailbox("10.0.0.7")).verify);
    auth::Mailbox verified = mailbox("10.0.0.7");
    verified.ssl_verify = true;
    EXPECT_TRUE(backend_target(lax, verified).verify);

    auth::Mailbox named = mailbox("10.0.0.7");
    named.ssl_name = "imap7.example.com";
    EXPECT_EQ(backend_target(server(), named).name, "imap7.example.com");
}

TEST(BackendTarget, TheHostIsTheNameWhereNoneIsWritten)
{
    config::MailServer settings = server();
    settings.proxy_ssl_settings.name.clear();
    EXPECT_EQ(backend_target(settings, mailbox("10.0.0.7")).name, "10.0.0.7");
    EXPECT_EQ(backend_target(settings, mailbox("2001:db8::7")).name, "2001:db8::7");
    EXPECT_EQ(backend_target(settings, mailbox("imap.example.com")).name, "imap.example.com");
    EXPECT_EQ(backend_target(settings, mailbox("imap.example.com.")).name, "imap.example.com");
    EXPECT_EQ(backend_target(settings, mailbox("unix:/run/imap")).name, "localhost");
}

}  // namespace
}  // namespace postern::session
