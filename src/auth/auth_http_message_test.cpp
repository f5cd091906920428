#include "auth/auth_http_message.h"

#include <gtest/gtest.h>

namespace postern::auth {
namespace {

using namespace std::string_literals;
using config::Protocol;

HttpService service()
{
    HttpService result;
    result.where.host = "127.0.0.1";
    result.where.port = 9000;
    result.where.uri = "/auth";
    return result;
}

Claim claim(Method method = Method::plain, std::string login = "bob",
            std::string_view password = "secret")
{
    Claim result;
    result.method = method;
    result.login = std::move(login);
    result.password = Secret(password);
    return result;
}

Peer peer(Protocol protocol = Protocol::imap)
{
    Peer result;
    result.protocol = protocol;
    result.client_ip = "192.0.2.1";
    result.client_host = "client.example";
    return result;
}

std::string request(const HttpService& to, const Claim& of, const Peer& from)
{
    const auto made = make_request(to, of, from);
    return made ? std::string(made->reveal()) : "(refused)";
}

// The value of a header in a request; there has to be exactly one.
std::string value(const std::string& text, const std::string& name)
{
    const std::string start = "\r\n" + name + ": ";
    const std::size_t at = text.find(start);
    if (at == std::string::npos || text.find(start, at + 1) != std::string::npos) {
        return "(not one)";
    }
    const std::size_t begin = at + start.size();
    return text.substr(begin, text.find("\r\n", begin) - begin);
}

HttpAnswer answer(std::string_view lines, const Claim& to = claim(), const Peer& from = peer())
{
    static std::string text;  // the head looks into it
    text = std::string(lines) + "\n";
    const auto head = http::parse_response_head(text);
    EXPECT_TRUE(head && *head) << lines;
    return read_answer((*head)->headers, to, from);
}

Mailbox mailbox(std::string_view lines, const Claim& to = claim(), const Peer& from = peer())
{
    auto got = answer(lines, to, from);
    auto* const result = std::get_if<Mailbox>(&got);
    EXPECT_NE(result, nullptr) << lines;
    return result != nullptr ? std::move(*result) : Mailbox();
}

Refusal refusal(std::string_view lines, const Peer& from = peer())
{
    auto got = answer(lines, claim(), from);
    auto* const result = std::get_if<Refusal>(&got);
    EXPECT_NE(result, nullptr) << lines;
    return result != nullptr ? std::move(*result) : Refusal{"(none)", "", {}};
}

std::string problem(std::string_view lines, const Claim& to = claim(), const Peer& from = peer())
{
    const auto got = answer(lines, to, from);
    const auto* const result = std::get_if<BadAnswer>(&got);
    return result != nullptr ? result->problem : "(none)";
}

long wait(std::string_view lines)
{
    const auto got = answer(lines);
    const auto* const result = std::get_if<Wait>(&got);
    return result != nullptr ? result->pause.count() : -1;
}

constexpr std::string_view kGood = "Auth-Status: OK\nAuth-Server: 127.0.0.1\nAuth-Port: 143\n";

std::string good(std::string_view more)
{
    return std::string(kGood) + std::string(more) + "\n";
}

PeerTls tls_with_certificate()
{
    PeerTls tls{.protocol = "TLSv1.3", .cipher = "TLS_AES_256_GCM_SHA384", .verify = "SUCCESS"};
    tls.certificate = tls::PeerCertificate{.subject = "CN=bob x,O=A\\, B,C=US",
                                           .issuer = "CN=Test CA",
                                           .serial = "0A1F",
                                           .fingerprint = std::string(40, 'e'),
                                           .pem = "-----BEGIN CERTIFICATE-----\nMII%+\n"};
    return tls;
}

std::string lines_of(const std::string& text, const std::string& start)
{
    std::string result;
    for (std::size_t at = text.find("\r\n" + start); at != std::string::npos;
         at = text.find("\r\n" + start, at + 1)) {
        result += text.substr(at + 2, text.find("\r\n", at + 2) - at);
    }
    return result;
}

TEST(AuthHttpRequest, TellsWhatTlsSaysOfTheClient)
{
    Peer from = peer();
    EXPECT_EQ(lines_of(request(service(), claim(), from), "Auth-SSL"), "");
    from.tls = PeerTls{.protocol = "TLSv1.2", .cipher = "ECDHE-RSA-AES128-GCM-SHA256"};
    EXPECT_EQ(lines_of(request(service(), claim(), from), "Auth-SSL"),
              "Auth-SSL: on\r\nAuth-SSL-Protocol: TLSv1.2\r\n"
              "Auth-SSL-Cipher: ECDHE-RSA-AES128-GCM-SHA256\r\n");
    from.tls->verify = "NONE";
    EXPECT_EQ(value(request(service(), claim(), from), "Auth-SSL-Verify"), "NONE");
}

TEST(AuthHttpRequest, TellsWhatTheClientsCertificateSays)
{
    Peer from = peer();
    from.tls = tls_with_certificate();
    HttpService to = service();
    to.headers = {{"X-Last", "1"}};
    const std::string facts =
        "Auth-SSL: on\r\nAuth-SSL-Protocol: TLSv1.3\r\nAuth-SSL-Cipher: TLS_AES_256_GCM_SHA384\r\n"
        "Auth-SSL-Verify: SUCCESS\r\nAuth-SSL-Subject: CN=bob x,O=A\\, B,C=US\r\n"
        "Auth-SSL-Issuer: CN=Test CA\r\nAuth-SSL-Serial: 0A1F\r\n"
        "Auth-SSL-Fingerprint: eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\r\n";
    EXPECT_EQ(lines_of(request(to, claim(), from), "Auth-SSL"), facts);
    to.pass_client_cert = true;
    const std::string text = request(to, claim(), from);
    EXPECT_EQ(lines_of(text, "Auth-SSL"),
              facts + "Auth-SSL-Cert: -----BEGIN%20CERTIFICATE-----%0AMII%25+%0A\r\n");
    EXPECT_GT(text.find("X-Last"), text.find("Auth-SSL-Cert"));
}

TEST(AuthHttpRequest, ACertificateThatWouldForgeAHeaderIsRefused)
{
    Peer from = peer();
    from.tls = tls_with_certificate();
    from.tls->certificate->subject = "CN=x\r\nAuth-User: root";
    EXPECT_EQ(request(service(), claim(), from), "(refused)");
}

TEST(AuthHttpAnswer, MaySayHowTheMailboxServerIsReached)
{
    EXPECT_FALSE(mailbox(kGood).ssl);
    EXPECT_EQ(mailbox(good("Auth-Server-SSL: on")).ssl, config::ProxySsl::on);
    EXPECT_EQ(mailbox(good("auth-server-ssl: StartTLS")).ssl, config::ProxySsl::starttls);
    EXPECT_EQ(mailbox(good("Auth-Server-SSL: off")).ssl, config::ProxySsl::off);
    EXPECT_EQ(problem(good("Auth-Server-SSL: yes")), "sent invalid server ssl:\"yes\"");
    EXPECT_EQ(mailbox(good("Auth-Server-Name: mx.example.com")).ssl_name, "mx.example.com");
    EXPECT_EQ(problem(good("Auth-Server-Name: a/b")), "sent invalid server name:\"a/b\"");
    EXPECT_EQ(problem(good("Auth-Server-Name: unix:/x")), "sent invalid server name:\"unix:/x\"");
}

TEST(AuthHttpRequest, HasNginxsHeadersInTheirOrder)
{
    Claim apop = claim(Method::apop, "bob", "c4c9334bac560ecc979e58001b3e22fb");
    apop.salt = "<187994217.1795398254@mail.test>";
    Peer from = peer(Protocol::pop3);
    from.client_ip = "127.0.0.1";
    EXPECT_EQ(request(service(), apop, from),
              "GET /auth HTTP/1.0\r\n"
              "Host: 127.0.0.1\r\n"
              "Auth-Method: apop\r\n"
              "Auth-User: bob\r\n"
              "Auth-Pass: c4c9334bac560ecc979e58001b3e22fb\r\n"
              "Auth-Salt: <187994217.1795398254@mail.test>\r\n"
              "Auth-Protocol: pop3\r\n"
              "Auth-Login-Attempt: 1\r\n"
              "Client-IP: 127.0.0.1\r\n"
              "\r\n");
}

TEST(AuthHttpRequest, TellsWhatAProxyInFrontSays)
{
    Peer from = peer();
    EXPECT_EQ(request(service(), claim(), from).find("Proxy-Protocol"), std::string::npos);
    from.proxied = {.source = *SocketAddress::parse_ip("2001:db8::1", 35646),
                    .destination = *SocketAddress::parse_ip("2001:db8::2", 993),
                    .source_ip = "2001:DB8:0::1",
                    .destination_ip = "2001:db8::2"};
    EXPECT_NE(request(service(), claim(), from)
                  .find("\r\nClient-IP: 192.0.2.1\r\n"
                        "Proxy-Protocol-Addr: 2001:DB8:0::1\r\n"
                        "Proxy-Protocol-Port: 35646\r\n"
                        "Proxy-Protocol-Server-Addr: 2001:db8::2\r\n"
                        "Proxy-Protocol-Server-Port: 993\r\n"),
              std::string::npos);
}

TEST(AuthHttpRequest, OfSmtpWithoutLoginHasTheEnvelope)
{
    HttpService to = service();
    to.headers = {{"X-Auth-Key", "k e%y"}, {"X-Two", ""}};
    Claim none = claim(Method::none, "", "");
    none.smtp_helo = "client name";
    none.smtp_from = "MAIL FROM:<a%b@example.com> SIZE=5";
    none.smtp_to = "RCPT TO:<b\xc3\xbc@example.com>";
    Peer from = peer(Protocol::smtp);
    from.attempt = 12;
    EXPECT_EQ(request(to, none, from),
              "GET /auth HTTP/1.0\r\n"
              "Host: 127.0.0.1\r\n"
              "Auth-Method: none\r\n"
              "Auth-User: \r\n"
              "Auth-Pass: \r\n"
              "Auth-Protocol: smtp\r\n"
              "Auth-Login-Attempt: 12\r\n"
              "Client-IP: 192.0.2.1\r\n"
              "Client-Host: client.example\r\n"
              "Auth-SMTP-Helo: client name\r\n"
              "Auth-SMTP-From: MAIL FROM:<a%b@example.com> SIZE=5\r\n"
              "Auth-SMTP-To: RCPT TO:<b\xc3\xbc@example.com>\r\n"
              "X-Auth-Key: k e%y\r\n"
              "X-Two: \r\n"
              "\r\n");
}

TEST(AuthHttpRequest, SaysWhichMethod)
{
    for (const auto& [method, word, salt] : {std::tuple{Method::plain, "plain", false},
                                             {Method::apop, "apop", true},
                                             {Method::cram_md5, "cram-md5", true},
                                             {Method::external, "external", false},
                                             {Method::none, "none", false}}) {
        Claim of = claim(method);
        of.salt = "<1.2@x>";
        const std::string text = request(service(), of, peer());
        EXPECT_EQ(value(text, "Auth-Method"), word);
        EXPECT_EQ(value(text, "Auth-Salt"), salt ? "<1.2@x>" : "(not one)");
        EXPECT_EQ(value(text, "Client-Host"), "(not one)");
    }
}

TEST(AuthHttpRequest, EscapesLoginAndPasswordAsNginxDoes)
{
    std::string all;
    std::string escaped;
    for (int i = 0; i < 256; ++i) {
        all += static_cast<char>(i);
        char hex[4];
        snprintf(hex, sizeof hex, "%%%02X", static_cast<unsigned>(i));
        escaped += i <= ' ' || i == '%' ? std::string(hex) : std::string(1, static_cast<char>(i));
    }
    const std::string text = request(service(), claim(Method::plain, all, all), peer());
    EXPECT_EQ(value(text, "Auth-User"), escaped);
    EXPECT_EQ(value(text, "Auth-Pass"), escaped);
    EXPECT_EQ(value(request(service(), claim(Method::plain, "a b+c", "x"), peer()), "Auth-User"),
              "a%20b+c");
}

TEST(AuthHttpRequest, NoClientCanAddAHeader)
{
    const std::string text = request(
        service(), claim(Method::plain, "bob\r\nAuth-User: root", "x\r\n\r\nGET /"), peer());
    EXPECT_EQ(value(text, "Auth-User"), "bob%0D%0AAuth-User:%20root");
    EXPECT_EQ(text.find("\r\n\r\n"), text.size() - 4);
    for (const auto& evil : {"a\r\nAuth-User: root"s, "a\rb"s, "a\nb"s, "a\0b"s}) {
        for (std::string Claim::* field : {&Claim::smtp_helo, &Claim::smtp_from, &Claim::smtp_to}) {
            Claim none = claim(Method::none);
            none.*field = evil;
            EXPECT_EQ(request(service(), none, peer(Protocol::smtp)), "(refused)");
        }
        Claim apop = claim(Method::apop);
        apop.salt = evil;
        EXPECT_EQ(request(service(), apop, peer()), "(refused)");
        Peer from = peer(Protocol::smtp);
        from.client_host = evil;
        EXPECT_EQ(request(service(), claim(), from), "(refused)");
        HttpService to = service();
        to.headers = {{"X", evil}};
        EXPECT_EQ(request(to, claim(), peer()), "(refused)");
        to = service();
        to.where.uri = evil;
        EXPECT_EQ(request(to, claim(), peer()), "(refused)");
    }
}

TEST(AuthHttpRequest, KeepsTheConnectionOnRequest)
{
    HttpService to = service();
    to.keepalive = 4;
    const std::string kept = request(to, claim(), peer());
    EXPECT_TRUE(kept.starts_with("GET /auth HTTP/1.1\r\n"));
    EXPECT_EQ(value(kept, "Connection"), "(not one)");
    EXPECT_EQ(kept.substr(20), request(service(), claim(), peer()).substr(20));
}

TEST(AuthHttpRequest, HasTheUriAsWritten)
{
    HttpService to = service();
    to.where.uri = "?a=b";
    to.where.host = "[::1]";
    const std::string text = request(to, claim(), peer());
    EXPECT_TRUE(text.starts_with("GET ?a=b HTTP/1.0\r\nHost: [::1]\r\n"));
}

TEST(AuthHttpAnswer, OkNamesTheMailbox)
{
    const Mailbox box = mailbox(kGood);
    EXPECT_EQ(box.host, "127.0.0.1");
    EXPECT_EQ(box.port, 143);
    EXPECT_EQ(box.login, "bob");
    EXPECT_EQ(box.password.reveal(), "secret");
    EXPECT_TRUE(box.has_password);
}

TEST(AuthHttpAnswer, WithoutStatusIsOk)  // NGINX
{
    EXPECT_EQ(mailbox("Auth-Server: 127.0.0.1\nAuth-Port: 143\n").port, 143);
}

TEST(AuthHttpAnswer, NamesAreCaseInsensitiveAndOtherHeadersIgnored)
{
    EXPECT_EQ(
        mailbox("AUTH-STATUS: OK\nauth-server: ::1\naUTH-pORT: 65535\nX-Y: z\nAuth-Method: apop\n")
            .host,
        "::1");
}

TEST(AuthHttpAnswer, ReplacesLoginAndPasswordRaw)
{
    const Mailbox box = mailbox(good("Auth-User: other%20one\nAuth-Pass: a  b%41\xff"));
    EXPECT_EQ(box.login, "other%20one");
    EXPECT_EQ(box.password.reveal(), "a  b%41\xff");
}

TEST(AuthHttpAnswer, NeedsAPasswordUnlessTheClientGaveOneOrItIsSmtp)
{
    for (const Method method : {Method::apop, Method::cram_md5, Method::external}) {
        for (const Protocol protocol : {Protocol::imap, Protocol::pop3}) {
            EXPECT_EQ(problem(kGood, claim(method), peer(protocol)), "did not send password");
        }
        const Mailbox box = mailbox(kGood, claim(method), peer(Protocol::smtp));
        EXPECT_FALSE(box.has_password);
        EXPECT_TRUE(box.password.empty());  // a digest is none
        EXPECT_EQ(mailbox(good("Auth-Pass: p"), claim(method)).password.reveal(), "p");
        EXPECT_TRUE(mailbox(good("Auth-Pass: p"), claim(method)).has_password);
    }
    EXPECT_FALSE(mailbox(kGood, claim(Method::none, "", ""), peer(Protocol::smtp)).has_password);
}

TEST(AuthHttpAnswer, AnyOtherStatusIsARefusal)
{
    EXPECT_EQ(refusal("Auth-Status: Invalid login or password\nAuth-Wait: 3\n").text,
              "Invalid login or password");
    EXPECT_EQ(refusal("Auth-Status: Invalid login or password\nAuth-Wait: 3\n").wait.count(), 3);
    EXPECT_EQ(refusal("Auth-Status: no\n").wait.count(), 0);
    for (const auto* text : {"ok", "Ok", "wait", "OK.", "O K", "WAIT5"}) {
        EXPECT_EQ(
            refusal("Auth-Status: "s + text + "\nAuth-Server: 127.0.0.1\nAuth-Port: 143\n").text,
            text);
    }
    for (const Protocol protocol : {Protocol::imap, Protocol::pop3, Protocol::smtp}) {
        EXPECT_EQ(refusal(good("Auth-Status:"), peer(protocol)).text,
                  "");  // NGINX: success in SMTP
        EXPECT_EQ(refusal(good("Auth-Status"), peer(protocol)).text, "");
    }
}

TEST(AuthHttpAnswer, RefusalStandsWhateverFollows)
{
    EXPECT_EQ(
        refusal("Auth-Status: no\nAuth-Status: OK\nAuth-Server: 127.0.0.1\nAuth-Port: 1\n").text,
        "no");
    EXPECT_EQ(refusal("Auth-Status: no\nAuth-Status: WAIT\n").text, "no");
    EXPECT_EQ(refusal("Auth-Status: OK\nAuth-Status: no\n").text, "no");
    EXPECT_EQ(refusal("Auth-Status: no\nAuth-Status: never\n").text, "never");
}

TEST(AuthHttpAnswer, LastOfTheOtherHeadersHolds)
{
    const Mailbox box =
        mailbox(good("Auth-Server: 10.0.0.1\nAuth-Port: 1\nAuth-User: a\nAuth-User: b\n"
                     "Auth-Pass: c\nAuth-Pass: d"));
    EXPECT_EQ(box.host, "10.0.0.1");
    EXPECT_EQ(box.port, 1);
    EXPECT_EQ(box.login, "b");
    EXPECT_EQ(box.password.reveal(), "d");
    EXPECT_EQ(refusal("Auth-Status: no\nAuth-Wait: 3\nAuth-Wait: 5\n").wait.count(), 5);
    EXPECT_EQ(wait("Auth-Status: OK\nAuth-Status: WAIT\nAuth-Wait: 2\n"), 2);
    EXPECT_EQ(mailbox("Auth-Status: WAIT\nAuth-Status: OK\nAuth-Server: ::1\nAuth-Port: 1\n").host,
              "::1");
}

TEST(AuthHttpAnswer, ErrorCodeIsForSmtp)
{
    EXPECT_EQ(refusal("Auth-Status: later\nAuth-Error-Code: 451 4.3.0\n", peer(Protocol::smtp))
                  .error_code,
              "451 4.3.0");
    EXPECT_EQ(refusal("Auth-Status: later\n", peer(Protocol::smtp)).error_code, "");
}

TEST(AuthHttpAnswer, WaitAsksAgain)
{
    EXPECT_EQ(wait("Auth-Status: WAIT\nAuth-Wait: 5\n"), 5);
    EXPECT_EQ(wait("Auth-Status: WAIT\nAuth-Wait: 5\nAuth-Server: 127.0.0.1\nAuth-Port: 143\n"), 5);
    EXPECT_EQ(wait("Auth-Status: WAIT\n"), 1);  // NGINX: at once, for ever
    EXPECT_EQ(wait("Auth-Status: WAIT\nAuth-Wait: 0\n"), 1);
}

TEST(AuthHttpAnswer, WaitIsAWholeNumberAndHasALimit)
{
    for (const auto* text : {"x", "", "-1", "1.5", "1s", "99999999999999999999"}) {
        EXPECT_EQ(refusal("Auth-Status: no\nAuth-Wait: "s + text + "\n").wait.count(), 0) << text;
        EXPECT_EQ(refusal("Auth-Status: no\nAuth-Wait: 7\nAuth-Wait: "s + text + "\n").wait.count(),
                  7)
            << text;
    }
    EXPECT_EQ(refusal("Auth-Status: no\nAuth-Wait: 3600\n").wait.count(), 3600);
    EXPECT_EQ(refusal("Auth-Status: no\nAuth-Wait: 3601\n").wait.count(), 3600);
    EXPECT_EQ(refusal("Auth-Status: no\nAuth-Wait: 4294967295\n").wait.count(), 3600);
}

TEST(AuthHttpAnswer, WithoutServerOrPortIsBad)
{
    for (const auto* lines :
         {"Auth-Status: OK\n", "X: y\n", "Auth-Server: 127.0.0.1\n", "Auth-Port: 143\n",
          "Auth-Server:\nAuth-Port: 143\n", "Auth-Server: 127.0.0.1\nAuth-Port\n"}) {
        EXPECT_EQ(problem(lines), "did not send server or port") << lines;
    }
}

TEST(AuthHttpAnswer, WithABadServerOrPortIsBad)
{
    for (const auto* server :
         {"[::1]", "1.2.3.256", "127.0.0.1:143", "a b", "http://x", "unix:relative"}) {
        EXPECT_EQ(problem("Auth-Server: "s + server + "\nAuth-Port: 143\n"),
                  "sent invalid server address:\""s + server + '"');
    }
    for (const auto* port : {"0", "65536", "-1", "143x", "imap", "1 2", "99999999999"}) {
        EXPECT_EQ(problem("Auth-Server: 127.0.0.1\nAuth-Port: "s + port + "\n"),
                  "sent invalid server port:\""s + port + '"');
    }
    EXPECT_EQ(problem("Auth-Server: a\"b\xff\nAuth-Port: 1\n"),
              R"(sent invalid server address:"a\x22b\xff")");
}

TEST(AuthHttpAnswer, ProblemsAreFoundInNginxsOrder)
{
    EXPECT_EQ(problem("Auth-Server: [x]\nAuth-Port: 0\n", claim(Method::apop)),
              "did not send password");
    EXPECT_EQ(problem("Auth-Server: [x]\nAuth-Port: 0\n"), "sent invalid server address:\"[x]\"");
}

TEST(AuthHttpAnswer, ServerMayBeANameOrASocket)  // NGINX takes addresses only
{
    EXPECT_EQ(mailbox("Auth-Server: imap.example.com\nAuth-Port: 143\n").host, "imap.example.com");
    EXPECT_EQ(mailbox("Auth-Server: unix:/run/imap\n").host, "unix:/run/imap");
    EXPECT_EQ(mailbox("Auth-Server: unix:/run/imap\nAuth-Port: 1\n").port, 0);
}

}  // namespace
}  // namespace postern::auth
